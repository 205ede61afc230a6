// Uploads one file after the other, each in pieces that are sent again when the connection breaks. The list of them stays while
// one goes about the portal's parts that are swapped; a page that is left ends them, and asks before.

const TRIES = 6;
const waiting = [];
let panel;
let running;

export function upload(file, options) {
  open(options.template);
  const row = panel.querySelector("template[data-upload-row]").content.firstElementChild.cloneNode(true);
  row.querySelector(".upload__name").textContent = file.name;
  const cancel = row.querySelector("[data-upload-cancel]");
  cancel.setAttribute("aria-label", panel.dataset.cancel.replace("{}", file.name));
  const job = { file, options, row, id: newId(), cancelled: false };
  cancel.addEventListener("click", () => stop(job));
  say(job, panel.dataset.waiting);
  panel.querySelector(".uploads__list").append(row);
  panel.querySelector("[data-uploads-close]").hidden = true;
  waiting.push(job);
  if (!running) work();
}

function open(template) {
  if (panel?.isConnected) return;
  panel = template.content.firstElementChild.cloneNode(true);
  panel.querySelector("[data-uploads-close]").addEventListener("click", () => panel.remove());
  document.body.append(panel);
}

function newId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function work() {
  const changed = new Map();
  for (running = waiting.shift(); running; running = waiting.shift()) {
    if (running.cancelled) continue;
    const job = running;
    if (await sendAll(job)) {
      finish(job, "upload--done", panel.dataset.done);
      changed.set(job.options.path, job.options.done);
    }
  }
  panel.querySelector("[data-uploads-close]").hidden = false;
  leaveLater(panel);
  for (const done of changed.values()) done();
}

// As toasts do: what went well goes by itself, and a refusal stays until somebody has read it.
function leaveLater(list) {
  setTimeout(() => !running && !list.querySelector(".upload--bad") && list.remove(), 6000);
}

async function sendAll(job) {
  let offset = 0;
  let tries = 0;
  do {
    const piece = job.file.slice(offset, offset + job.options.pieceBytes);
    const answer = await send(job, piece, offset);
    if (job.cancelled) {
      abandon(job);
      return false;
    }
    if (answer.done !== undefined) {
      offset += piece.size;
      tries = 0;
    } else if (answer.again && tries < TRIES) {
      tries += 1;
      say(job, panel.dataset.again);
      await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** tries));
    } else {
      finish(job, "upload--bad", answer.sentence ?? panel.dataset.failed);
      return false;
    }
  } while (offset < job.file.size);
  return true;
}

function send(job, piece, offset) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    job.request = request;
    request.open("POST", address(job, { offset, size: job.file.size }));
    request.setRequestHeader("X-CSRFToken", token());
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => progress(job, offset + event.loaded));
    request.addEventListener("load", () => {
      const answer = request.response ?? {};
      if (request.status === 200) progress(job, offset + piece.size);
      resolve(request.status >= 500 ? { ...answer, again: true } : answer);
    });
    for (const end of ["error", "abort", "timeout"]) request.addEventListener(end, () => resolve({ again: true }));
    request.send(piece);
  });
}

function address(job, more) {
  const path = job.options.path ? `${job.options.path}/${job.file.name}` : job.file.name;
  return `${job.options.address}?${new URLSearchParams({ path, upload: job.id, ...more })}`;
}

function token() {
  return JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

function abandon(job) {
  fetch(address(job, { abandon: 1 }), { method: "POST", headers: { "X-CSRFToken": token() }, keepalive: true });
}

function stop(job) {
  job.cancelled = true;
  job.request?.abort();
  job.row.remove();
  if (!panel.querySelector(".upload")) panel.remove();
}

function progress(job, bytes) {
  const part = job.file.size ? Math.min(1, bytes / job.file.size) : 1;
  job.row.querySelector("progress").value = part;
  say(job, `${Math.floor(part * 100)} %`);
}

function finish(job, kind, text) {
  job.row.classList.add(kind);
  job.row.querySelector("[data-upload-cancel]").remove();
  say(job, text);
}

function say(job, text) {
  const place = job.row.querySelector(".upload__state");
  if (place.textContent !== text) place.textContent = text;
}

addEventListener("beforeunload", (event) => running && event.preventDefault());
