// Keeps <time data-time="relative|since"> true while the page is open; the server wrote the first text in the same form.
const unit = (name) => document.body.dataset[`unit${name}`];
const STEPS = [
  [86400, 3600, "Day", "Hour"],
  [3600, 60, "Hour", "Minute"],
  [60, 1, "Minute", "Second"],
];

function parts(seconds) {
  const total = Math.max(0, Math.floor(seconds));
  for (const [size, smaller, big, small] of STEPS) {
    if (total >= size) {
      const rest = Math.floor((total % size) / smaller);
      const whole = `${Math.floor(total / size)}\u00a0${unit(big)}`;
      return rest ? [whole, `${rest}\u00a0${unit(small)}`] : [whole];
    }
  }
  return [`${total}\u00a0${unit("Second")}`];
}

function text(element, now) {
  const seconds = (now - Date.parse(element.dateTime)) / 1000;
  if (element.dataset.time === "since") return parts(seconds).join(" ");
  const form = seconds >= 0 ? document.body.dataset.ago : document.body.dataset.in;
  return form.replace("{}", parts(Math.abs(seconds))[0]);
}

const two = (number) => String(number).padStart(2, "0");

// The browser knows its reader's zone better than a setting that nobody made.
function localize(element) {
  const at = new Date(element.dateTime);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const exact = `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const zone = new Intl.DateTimeFormat("en", { timeZoneName: "short" }).formatToParts(at);
  element.title = `${exact} ${zone.find((part) => part.type === "timeZoneName").value}`;
  if (element.dataset.time === "exact") element.textContent = exact;
  element.dataset.local = "";
}

function localizeAll() {
  for (const element of document.querySelectorAll("time[data-time]:not([data-local])")) localize(element);
}

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  for (const element of document.querySelectorAll('time[data-time="relative"], time[data-time="since"]')) {
    const wanted = text(element, now);
    if (element.textContent !== wanted) element.textContent = wanted;
  }
  for (const element of document.querySelectorAll("[data-reveal-at]")) {
    element.hidden = Date.parse(element.dataset.revealAt) > now;
  }
}

localizeAll();
new MutationObserver(localizeAll).observe(document.body, { childList: true, subtree: true });
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
