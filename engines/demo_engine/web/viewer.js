// One picture, large, with what it was made from and what can be done with it.
import { call } from "./api.js";

const el = (id) => document.getElementById(id);
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export class Viewer {
  constructor({ gallery, features, onReuse, onError }) {
    Object.assign(this, { gallery, features, onReuse, onError, image: null });
    el("favourite").hidden = !features.favourites;
    el("tags-field").hidden = !features.tags;
    el("close").addEventListener("click", () => this.close());
    el("viewer").addEventListener("click", (event) => event.target === el("viewer") && this.close());
    el("viewer").addEventListener("keydown", (event) => this.turn(event));
    el("reuse").addEventListener("click", () => {
      this.onReuse(this.image.parameters);
      this.close();
    });
    el("favourite").addEventListener("click", () => this.annotate({ favourite: !this.image.favourite }));
    el("tags").addEventListener("change", () =>
      this.annotate({ tags: el("tags").value.split(",").map((tag) => tag.trim().toLowerCase()).filter(Boolean) }));
    el("delete").addEventListener("click", () => this.ask(true));
    el("delete-not").addEventListener("click", () => this.ask(false));
    el("delete-really").addEventListener("click", () => this.remove());
  }

  open(image) {
    this.image = image;
    const made = image.parameters;
    el("picture").src = image.url;
    el("picture").alt = made.prompt || "Picture without a prompt";
    el("picture").width = made.width || 512;
    el("picture").height = made.height || 512;
    el("viewer-prompt").textContent = made.prompt || "No prompt";
    el("download").href = image.url;
    el("download").download = image.id.split("/").at(-1).replace(/(\.png)?$/, ".png");
    el("favourite").textContent = image.favourite ? "★ Favourite" : "☆ Favourite";
    el("favourite").setAttribute("aria-pressed", image.favourite);
    if (document.activeElement !== el("tags")) el("tags").value = image.tags.join(", ");
    el("facts").replaceChildren(...facts(image).flatMap(([name, value]) => [text("dt", name), text("dd", value)]));
    if (el("viewer").open) return;
    this.ask(false);
    el("viewer").showModal();
    el("close").focus();
  }

  close() {
    el("viewer").close();
  }

  changed(image) {
    if (el("viewer").open && this.image.id === image.id) this.open(image);
  }

  removed(id) {
    if (el("viewer").open && this.image.id === id) this.close();
  }

  turn(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.target.tagName === "INPUT") return;
    const next = this.gallery.neighbour(this.image.id, step);
    if (!next) return;
    this.ask(false);
    this.open(next);
  }

  ask(sure) {
    el("confirm").hidden = !sure;
    el("delete").hidden = sure;
    if (sure) el("delete-not").focus();
  }

  async annotate(change) {
    try {
      this.open(await call("PATCH", `api/images/${this.image.id}`, change));
      this.gallery.change(this.image);
    } catch (error) {
      this.failed(error);
    }
  }

  async remove() {
    try {
      await call("DELETE", `api/images/${this.image.id}`);
      this.gallery.remove(this.image.id);
      this.close();
    } catch (error) {
      this.failed(error);
    }
  }

  failed(error) {
    this.close();
    this.onError(error.message);
  }
}

function facts(image) {
  const made = image.parameters;
  const rows = [
    ["Negative prompt", made.negative_prompt],
    ["Motif", made.model?.replace("loom-", "")],
    ["Seed", made.seed],
    ["Size", made.width && `${made.width} × ${made.height} px`],
    ["Steps", made.steps],
    ["Guidance", made.cfg_scale],
    ["Sampler", made.sampler_name],
    ["Made", moment.format(new Date(image.created_at))],
    ["File", `${Math.max(1, Math.round(image.size_bytes / 1024)).toLocaleString()} KiB`],
  ];
  return rows.filter(([, value]) => value !== undefined && value !== "");
}

function text(tag, content) {
  const node = document.createElement(tag);
  node.textContent = content;
  return node;
}
