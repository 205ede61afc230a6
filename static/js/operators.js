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

// One box chooses all of its form, and tells when some are chosen.
document.addEventListener("change", ({ target }) => {
  if (target.type !== "checkbox" || !target.form) return;
  const own = [...target.form.elements].filter((each) => each.type === "checkbox");
  const all = own.find((each) => "chooseAll" in each.dataset);
  if (!all) return;
  const boxes = own.filter((each) => each !== all);
  if (target === all) boxes.forEach((box) => { box.checked = all.checked; });
  const chosen = boxes.filter((box) => box.checked).length;
  all.checked = chosen === boxes.length;
  all.indeterminate = chosen > 0 && chosen < boxes.length;
});
