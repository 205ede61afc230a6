// A form that is on its way stays in the page until the next one comes: browsers drop what is sent by a form that the answer to
// an earlier question has replaced meanwhile.

const PATIENCE_MS = 10_000; // then whatever it asked for opens no other page

window.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented) return; // sent by htmx
  form.dataset.sent = "";
  setTimeout(() => delete form.dataset.sent, PATIENCE_MS);
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target } = event.detail;
  if (target.closest("[data-sent]") || target.querySelector("[data-sent]")) event.detail.shouldSwap = false;
});
