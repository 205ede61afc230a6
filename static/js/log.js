// Follows an engine's log. Text goes in as text, never as markup.

const LONGEST = 500_000;
let source;

function stop() {
  source?.close();
  source = undefined;
}

function append(log, text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(text);
  log.normalize();
  if (log.textContent.length > LONGEST) log.textContent = log.textContent.slice(-LONGEST / 2);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function follow(log) {
  stop();
  const url = new URL(log.dataset.stream, location.href);
  url.searchParams.set("cursor", log.dataset.cursor);
  source = new EventSource(url);
  source.addEventListener("message", (event) => {
    log.dataset.cursor = event.lastEventId;
    append(log, JSON.parse(event.data));
  });
}

function attach() {
  const log = document.getElementById("log");
  if (!log) {
    stop();
    return;
  }
  if (log.dataset.attached) return;
  log.dataset.attached = "yes";
  log.scrollTop = log.scrollHeight;
  const button = document.querySelector("[data-log-follow]");
  const label = button.querySelector("span");
  button.hidden = false;
  button.addEventListener("click", () => {
    const following = button.getAttribute("aria-pressed") === "true";
    button.setAttribute("aria-pressed", String(!following));
    label.textContent = following ? label.dataset.off : label.dataset.on;
    if (following) stop();
    else follow(log);
  });
  follow(log);
}

attach();
document.addEventListener("htmx:afterSettle", attach);
addEventListener("pagehide", stop);
