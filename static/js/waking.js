// The waking page: starts the engine once if the server says that somebody came for it, shows in the tab's title and icon how
// far it is, and goes on to it.

const section = () => document.getElementById("waking");

function show() {
  const { title, icon, forward } = section().dataset;
  document.title = title;
  document.getElementById("icon").href = icon;
  // In place of this page: whoever goes back from the engine does not come here.
  if (forward) location.replace(forward);
}

function wake(form) {
  form.elements.by.value = "page";
  window.htmx.trigger(form, "wake");
}

function wakeOnceSeen(form) {
  if (!document.hidden) wake(form);
  else document.addEventListener("visibilitychange", () => form.isConnected && wake(form), { once: true });
}

function swapped(event) {
  if (event.detail.target.id !== "waking") return;
  show();
  document.getElementById("announcer").textContent = section().querySelector("h1").textContent;
}

// A right that has ended, or a session: the whole page says so better than a part of it.
function refused(event) {
  const { xhr } = event.detail;
  if (event.target.id === "waking" && [403, 404].includes(xhr.status)) location.reload();
}

function foreign(event) {
  const { xhr, target } = event.detail;
  if (target.id !== "waking" || !xhr.responseURL || new URL(xhr.responseURL).pathname.startsWith("/gw/waking/")) return;
  event.detail.shouldSwap = false;
  location.reload();
}

if (section()) {
  document.addEventListener("htmx:afterSettle", swapped);
  document.addEventListener("htmx:beforeSwap", foreign);
  document.addEventListener("htmx:responseError", refused);
  show();
  // Not before htmx has read the page, which it does at the same event, but was loaded first.
  document.addEventListener("DOMContentLoaded", () => {
    const form = section().querySelector("form[data-wake]");
    if (form?.dataset.wake === "now") wake(form);
    else if (form) wakeOnceSeen(form);
  });
}
