// One socket per page. It carries finished fragments; after every reconnect the page reads its live parts again, so that
// nothing that happened in between is missed.

const FIRST_DELAY = 500;
const LONGEST_DELAY = 15000;
const SIGNED_OUT = 4401;
const STRANGER = 4404;

const sign = document.getElementById("live");
let socket;
let failures = 0;
let greeted = false;

function address() {
  const url = new URL(`/ws/live/${sign.dataset.tenant}/`, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  url.searchParams.set("lang", document.documentElement.lang);
  if (!greeted && sign.dataset.seen) url.searchParams.set("seen", sign.dataset.seen);
  if (sign.dataset.instance) url.searchParams.set("instance", sign.dataset.instance);
  return url;
}

function say(text, state) {
  sign.textContent = text;
  sign.dataset.state = state;
  sign.hidden = !text;
}

function announce(name) {
  window.htmx.trigger(document.body, name);
}

// What a person was doing in a row outlives the row's replacement: the open menu and the focused button.
function remember(element) {
  const menu = element.querySelector("details[open][data-key]");
  const active = element.contains(document.activeElement) ? document.activeElement : null;
  const inMenu = active?.closest("details.menu");
  return (fresh) => {
    if (menu) fresh.querySelector(`details[data-key="${menu.dataset.key}"]`)?.setAttribute("open", "");
    if (!active) return;
    const key = active.dataset.key;
    const target = key ? fresh.querySelector(`[data-key="${key}"]`) : inMenu && fresh.querySelector("details.menu summary");
    (target ?? fresh.querySelector("a, button"))?.focus({ preventScroll: true });
  };
}

function mark(element) {
  element.classList.add("changed");
  const name = element.querySelector("h1, h2")?.textContent.trim();
  document.getElementById("announcer").textContent = `${name}: ${element.querySelector(".chip")?.textContent.trim()}`;
  element.addEventListener("animationend", () => element.classList.remove("changed"), { once: true });
}

function place(fresh) {
  const present = document.getElementById(fresh.id);
  if (present?.querySelector(".htmx-request")) {
    // A button in it still waits for its answer, which would find nothing to swap if its row were gone.
    document.body.addEventListener("htmx:afterRequest", () => place(fresh), { once: true });
    return;
  }
  if (fresh.getAttribute("hx-swap-oob") === "delete") {
    present?.remove();
    return;
  }
  fresh.removeAttribute("hx-swap-oob");
  if (present) {
    const restore = remember(present);
    const same = present.querySelector(".chip")?.textContent === fresh.querySelector(".chip")?.textContent;
    present.replaceWith(fresh);
    window.htmx.process(fresh);
    restore(fresh);
    if (!same) mark(fresh);
    return;
  }
  const list = fresh.dataset.insert && document.getElementById(fresh.dataset.insert);
  if (!list) {
    if (fresh.dataset.insert && document.getElementById("no-instances")) announce("live:first");
    return;
  }
  if (list.dataset.group && list.dataset.group !== fresh.dataset.group) return;
  if (list.dataset.project && list.dataset.project !== fresh.dataset.project) return;
  list.prepend(fresh);
  window.htmx.process(fresh);
  mark(fresh);
}

// Parts that are read again by request wait a little and at random: two hundred open pages must not ask at once.
let settling;
function settle() {
  clearTimeout(settling);
  settling = setTimeout(() => announce("live:settled"), 300 + Math.random() * 700);
}

function receive(event) {
  const template = document.createElement("template");
  template.innerHTML = event.data;
  for (const fresh of [...template.content.children]) place(fresh);
  announce("live:heard");
  settle();
}

function reconnectLater() {
  failures += 1;
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
  setTimeout(connect, longest / 2 + (Math.random() * longest) / 2);
}

function connect() {
  socket = new WebSocket(address());
  socket.addEventListener("message", (event) => {
    if (event.data === "" || event.data === "changed") {
      // The server's greeting: from here on every change is sent. Something may have changed since the page was read.
      failures = 0;
      say("", "open");
      if (greeted || event.data === "changed") announce("live:resumed");
      greeted = true;
    } else receive(event);
  });
  socket.addEventListener("close", (event) => {
    if (event.code === SIGNED_OUT || event.code === STRANGER) {
      say(sign.dataset.closed, "lost");
      return;
    }
    if (failures > 0 || greeted) say(sign.dataset.lost, "lost");
    reconnectLater();
  });
}

// The socket may replace a row before its button's answer arrives; htmx would look for the row in the one that is gone.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, serverResponse, shouldSwap, target } = event.detail;
  if (!shouldSwap || target !== document.body || requestConfig.elt.isConnected) return;
  event.detail.shouldSwap = false;
  window.htmx.swap(document.body, serverResponse, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
});

if (sign) {
  connect();
  addEventListener("online", () => socket.readyState === WebSocket.CLOSED && connect());
  // A page from the back-forward cache has slept: its socket is gone and its parts are old.
  addEventListener("pageshow", (event) => event.persisted && announce("live:resumed"));
}
