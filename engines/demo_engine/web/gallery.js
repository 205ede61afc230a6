// The grid of saved pictures: pages, search, favourites.
import { call } from "./api.js";

const PAGE = 24;
const el = (id) => document.getElementById(id);

export class Gallery {
  constructor({ onOpen, onError }) {
    this.onOpen = onOpen;
    this.onError = onError;
    this.images = [];
    this.total = 0;
    this.asked = 0;
    let typing;
    el("search").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.reload(), 200);
    });
    el("favourites").addEventListener("change", () => this.reload());
    el("more").addEventListener("click", () => this.load(this.images.length));
  }

  get filtered() {
    return Boolean(el("search").value.trim() || el("favourites").checked);
  }

  reload() {
    return this.load(0);
  }

  async load(offset) {
    const asked = ++this.asked;
    const query = new URLSearchParams({ offset, limit: offset ? PAGE : Math.max(PAGE, Math.min(this.images.length, 200)) });
    if (el("search").value.trim()) query.set("search", el("search").value.trim());
    if (el("favourites").checked) query.set("favourites", "1");
    try {
      const page = await call("GET", `api/images?${query}`);
      if (asked !== this.asked) return;
      const known = new Set(offset ? this.images.map((image) => image.id) : []);
      this.images = [...(offset ? this.images : []), ...page.images.filter((image) => !known.has(image.id))];
      this.total = page.total;
      this.render();
    } catch (error) {
      this.onError(error.message);
    }
  }

  add(image) {
    if (this.filtered) return this.reload();
    if (this.images.some((other) => other.id === image.id)) return undefined;
    this.images.unshift(image);
    this.total += 1;
    return this.render(image.id);
  }

  change(image) {
    this.images = this.images.map((other) => (other.id === image.id ? image : other));
    if (el("favourites").checked) this.reload();
    else this.render();
  }

  remove(id) {
    if (!this.images.some((image) => image.id === id)) return;
    this.images = this.images.filter((image) => image.id !== id);
    this.total -= 1;
    this.render();
  }

  neighbour(id, step) {
    return this.images[this.images.findIndex((image) => image.id === id) + step];
  }

  render(freshId) {
    const old = new Map([...el("gallery").children].map((item) => [item.dataset.id, item]));
    el("gallery").replaceChildren(...this.images.map((image) => this.item(image, old.get(image.id), image.id === freshId)));
    el("count").textContent = this.total === 1 ? "1 picture" : this.total ? `${this.total} pictures` : "";
    el("more").hidden = this.images.length >= this.total;
    el("empty").hidden = this.images.length > 0;
    el("empty").textContent = this.filtered ? "No picture matches." : "Pictures appear here and stay until you delete them.";
  }

  item(image, old, fresh) {
    const item = old || document.createElement("li");
    if (!old) {
      item.dataset.id = image.id;
      const tile = document.createElement("button");
      const thumbnail = document.createElement("img");
      tile.type = "button";
      tile.className = fresh ? "tile fresh" : "tile";
      thumbnail.src = image.thumbnail_url;
      thumbnail.loading = "lazy";
      thumbnail.alt = image.parameters.prompt || "Picture without a prompt";
      tile.append(thumbnail);
      tile.addEventListener("click", () => this.onOpen(this.images.find((other) => other.id === image.id)));
      item.append(tile);
    }
    item.querySelector(".star")?.remove();
    if (image.favourite) {
      const star = document.createElement("span");
      star.className = "star";
      star.textContent = "★";
      star.title = "Favourite";
      item.firstChild.append(star);
    }
    return item;
  }
}
