// Operators' buttons whose answer takes a while say so, and are pressed once.

document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("[data-busy]");
  if (!button) return;
  const before = button.textContent;
  // Later, so that the form is still sent as it was.
  setTimeout(() => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy;
  });
  // A page that comes back from the browser's memory is as it was.
  addEventListener("pageshow", () => {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    button.textContent = before;
  });
});
