// The file room: what is chosen, pictures in the dialog, uploads. Everything but uploads works without it.
import { toast } from "./frame.js";
import { upload } from "./uploads.js";

const room = () => document.getElementById("file-room");
const picks = () => [...(room()?.querySelectorAll("input.file__pick") ?? [])];

function count() {
  const place = room()?.querySelector(".files__count");
  if (!place) return;
  const chosen = picks().filter((pick) => pick.checked).length;
  place.textContent = chosen ? place.dataset.chosen.replace("{}", chosen) : "";
  place.closest("form").toggleAttribute("data-many", chosen > 1);
  const all = room().querySelector("[data-choose-all]");
  all.hidden = picks().length < 2;
  all.querySelector("span").textContent = chosen ? all.dataset.none : all.dataset.all;
}

function attach() {
  const button = room()?.querySelector("[data-upload-button]");
  if (button) button.hidden = false;
  count();
}

// --- pictures ---

let shown;

function show(link) {
  const dialog = document.getElementById("dialog");
  shown = link;
  if (!dialog.querySelector(".viewer")) {
    dialog.replaceChildren(room().querySelector("template[data-viewer]").content.cloneNode(true));
    dialog.showModal();
  }
  const row = link.closest(".file");
  dialog.querySelector(".viewer__picture").src = link.href;
  dialog.querySelector(".viewer__picture").alt = link.textContent;
  dialog.querySelector(".viewer__name").textContent = link.textContent;
  dialog.querySelector(".viewer__about").textContent = `${row.querySelector(".file__size").textContent} · ${row.querySelector(".file__time").textContent.trim()}`;
  const download = dialog.querySelector("[data-viewer-download]");
  download.href = link.dataset.download;
  dialog.querySelector("[data-viewer-back]").disabled = !neighbour(-1);
  dialog.querySelector("[data-viewer-next]").disabled = !neighbour(1);
}

function neighbour(step) {
  const links = [...(room()?.querySelectorAll("a[data-picture]") ?? [])];
  return links[links.indexOf(shown) + step];
}

function move(step) {
  const link = neighbour(step);
  if (link) show(link);
}

// --- uploads ---

function send(files) {
  const place = room();
  if (!place?.dataset.upload) return;
  const options = {
    address: place.dataset.upload,
    path: place.dataset.path,
    pieceBytes: Number(place.dataset.pieceBytes),
    template: place.querySelector("template[data-upload-panel]"),
    done: () => {
      if (room()?.dataset.path === place.dataset.path) window.htmx.trigger(room(), "files:changed");
    },
  };
  for (const file of files) {
    if (file.size > Number(place.dataset.limitBytes)) toast(`${file.name}: ${place.dataset.tooLarge}`, "bad");
    else upload(file, options);
  }
}

const carriesFiles = (event) => room()?.dataset.upload && [...(event.dataTransfer?.types ?? [])].includes("Files");

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-picture]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    show(link);
  }
  if (event.target.closest("[data-viewer-back]")) move(-1);
  if (event.target.closest("[data-viewer-next]")) move(1);
  if (event.target.closest("[data-choose-all]")) {
    const none = picks().some((pick) => pick.checked);
    for (const pick of picks()) pick.checked = !none;
    count();
  }
});
document.addEventListener("keydown", (event) => {
  if (!document.querySelector("#dialog[open] .viewer")) return;
  if (event.key === "ArrowLeft") move(-1);
  if (event.key === "ArrowRight") move(1);
});
document.addEventListener("change", (event) => {
  if (event.target.matches(".file__pick")) count();
  if (event.target.matches("[data-upload-files]")) {
    send(event.target.files);
    event.target.value = "";
  }
});
// Only capturing listeners hear of pictures that fail: what has no thumbnail keeps its icon.
document.addEventListener("error", (event) => event.target.matches?.(".file__thumb") && event.target.remove(), true);
document.addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  room().classList.add("files--over");
});
document.addEventListener("dragleave", (event) => !event.relatedTarget && room()?.classList.remove("files--over"));
document.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  room().classList.remove("files--over");
  send(event.dataTransfer.files);
});
document.addEventListener("htmx:afterSettle", attach);
document.addEventListener("htmx:historyRestore", attach);
addEventListener("pageshow", attach);
attach();
