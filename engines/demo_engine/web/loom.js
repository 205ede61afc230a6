// The page: form, queue, and what arrives over the WebSocket.
import { call, stayConnected } from "./api.js";
import { Gallery } from "./gallery.js";
import { Viewer } from "./viewer.js";

const el = (id) => document.getElementById(id);
const form = el("form");
const NUMBERS = ["width", "height", "steps", "cfg_scale", "seed", "batch_size"];
const LINK_WORDS = { connecting: "Connecting…", live: "Live", lost: "Connection lost, trying again…" };
let jobs = [];
let viewer;
const gallery = new Gallery({ onOpen: (image) => viewer?.open(image), onError: say });

function say(sentence) {
  el("notice").textContent = sentence;
  el("notice").hidden = !sentence;
}

function showValues() {
  for (const range of form.querySelectorAll("input[type=range]")) range.parentElement.querySelector("output").textContent = range.value;
}

function fillForm(parameters) {
  for (const field of form.elements) {
    if (field.name && field.name !== "batch_size" && parameters[field.name] !== undefined) field.value = parameters[field.name];
  }
  showValues();
  el("prompt").focus();
}

async function generate(event) {
  event.preventDefault();
  const wanted = Object.fromEntries(new FormData(form));
  for (const name of NUMBERS) wanted[name] = Number(wanted[name]);
  try {
    say("");
    await call("POST", "api/jobs", wanted);
  } catch (error) {
    say(error.message);
  }
}

async function cancel(job) {
  try {
    await call("DELETE", `api/jobs/${job.id}`);
  } catch (error) {
    say(error.message);
  }
}

function showQueue() {
  const running = jobs.find((job) => job.state === "running");
  el("idle").hidden = jobs.length > 0;
  el("running").hidden = !running;
  if (running) showProgress(running);
  else showPreview(null);
  el("waiting").replaceChildren(...jobs.filter((job) => job !== running).map(waitingItem));
}

function showProgress(job) {
  const which = job.picture_count > 1 ? `Picture ${job.picture_number + 1} of ${job.picture_count}, ` : "";
  const left = job.eta_seconds >= 1 ? `, about ${Math.round(job.eta_seconds)} s left` : "";
  el("running-prompt").textContent = job.parameters.prompt || "No prompt";
  el("progress").value = job.progress;
  el("running-step").textContent = `${which}step ${job.step} of ${job.steps}${left}`;
  el("stop").onclick = () => cancel(job);
  document.title = `${Math.round(job.progress * 100)} % · Loom`;
}

function showPreview(preview) {
  el("preview").hidden = !preview;
  el("preview-empty").hidden = Boolean(preview);
  if (preview) el("preview").src = `data:image/jpeg;base64,${preview}`;
  if (!jobs.length) document.title = "Loom";
}

function waitingItem(job) {
  const item = document.createElement("li");
  const prompt = document.createElement("span");
  const button = document.createElement("button");
  prompt.className = "job-prompt";
  prompt.textContent = job.parameters.prompt || "No prompt";
  button.type = "button";
  button.textContent = "Cancel";
  button.addEventListener("click", () => cancel(job));
  item.append(prompt, button);
  return item;
}

const receivers = {
  state(message) {
    jobs = message.jobs;
    showQueue();
    showPreview(message.preview);
    gallery.reload();
  },
  queue(message) {
    const before = jobs.find((job) => job.state === "running")?.id;
    jobs = message.jobs;
    if (jobs.find((job) => job.state === "running")?.id !== before) showPreview(null);
    showQueue();
  },
  progress(message) {
    jobs = jobs.map((job) => (job.id === message.job.id ? message.job : job));
    showProgress(message.job);
    if (message.preview) showPreview(message.preview);
  },
  picture: (message) => gallery.add(message.picture),
  changed(message) {
    gallery.change(message.picture);
    viewer?.changed(message.picture);
  },
  removed(message) {
    gallery.remove(message.picture_id);
    viewer?.removed(message.picture_id);
  },
  failed: (message) => say(message.error),
};

async function start() {
  const about = await call("GET", "api/about");
  el("version").textContent = `version ${about.version}`;
  el("filters").hidden = !about.features.search;
  const names = about.models.map((name) => new Option(name === "loom-auto" ? "Chosen by the prompt" : name.replace("loom-", ""), name));
  form.elements.model.replaceChildren(...names);
  for (const name of ["width", "height"]) form.elements[name].step = about.limits[name].multiple_of;
  viewer = new Viewer({ gallery, features: about.features, onReuse: fillForm, onError: say });
  stayConnected({
    onMessage: (message) => receivers[message.type]?.(message),
    onState(state) {
      el("link").dataset.state = state;
      el("link").textContent = LINK_WORDS[state];
    },
  });
}

form.addEventListener("submit", generate);
form.addEventListener("input", showValues);
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});
el("dice").addEventListener("click", () => { el("seed").value = -1; });
showValues();
start().catch((error) => say(`${error.message} Reload the page to try again.`));
