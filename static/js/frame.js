// The frame: theme, menus, the dialog, toasts, copying.

const root = document.documentElement;

function toggleTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // Forbidden storage: the choice lasts as long as the page.
  }
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== except) menu.open = false;
  }
}

export function toast(message, level = "") {
  const box = document.createElement("div");
  box.className = `toast ${level ? `toast--${level}` : ""}`;
  box.append(document.createElement("span"), document.createElement("span"));
  box.lastChild.textContent = message;
  document.getElementById("toasts").append(box);
}

function copy(button) {
  navigator.clipboard.writeText(button.dataset.copy).then(() => toast(document.body.dataset.copied, "good"));
}

// Toasts go by themselves, except refusals, which somebody has to have read.
function dismissLater(nodes) {
  for (const box of nodes) {
    if (box.nodeType === Node.ELEMENT_NODE && !box.classList.contains("toast--bad")) setTimeout(() => box.remove(), 6000);
  }
}

const toasts = document.getElementById("toasts");
dismissLater(toasts.children);
new MutationObserver((changes) => dismissLater(changes.flatMap((change) => [...change.addedNodes]))).observe(toasts, { childList: true });

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.menu"));
  if (event.target.closest(".menu__items a, .menu__items button")) closeMenus();
  if (event.target.closest("[data-theme-toggle]")) toggleTheme();
  event.target.closest("[data-dismiss]")?.closest(".toast").remove();
  if (event.target.closest("[data-close]")) {
    event.preventDefault();
    event.target.closest("dialog").close();
  }
  const copied = event.target.closest("[data-copy]");
  if (copied) copy(copied);
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// A list that is long enough to be searched; without scripts it is looked through.
for (const search of document.querySelectorAll("[data-filter]")) {
  const list = document.querySelector(search.dataset.filter);
  const links = [...list.querySelectorAll("a")];
  search.hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.normalize("NFKC").trim().toLocaleLowerCase();
    for (const link of links) link.hidden = !link.textContent.toLocaleLowerCase().includes(wanted);
    list.querySelector("[data-filter-none]").hidden = links.some((link) => !link.hidden);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") links.find((link) => !link.hidden)?.click();
  });
  search.closest("details")?.addEventListener("toggle", (event) => event.target.open && search.focus());
}

document.addEventListener("htmx:afterSwap", (event) => {
  const { target } = event.detail;
  if (target?.id === "dialog" && !target.open) target.showModal();
});
// A dialog without its content is closed: nothing stale shows when the next one opens.
document.getElementById("dialog")?.addEventListener("close", (event) => event.target.replaceChildren());

// What asks again by itself every few seconds does not complain each time.
const isQuiet = (event) => event.detail.requestConfig?.verb === "get" && event.target.closest?.("[data-quiet]");

document.addEventListener("htmx:sendError", (event) => isQuiet(event) || toast(document.body.dataset.failed, "bad"));
document.addEventListener("htmx:responseError", (event) => {
  if (isQuiet(event)) return;
  const stale = event.detail.xhr.status === 403 || event.detail.xhr.status === 404;
  toast(stale ? document.body.dataset.refused : document.body.dataset.failed, "bad");
});
