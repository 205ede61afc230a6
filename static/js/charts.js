// What a chart tells on a place that is pointed at or focused, and one series alone. Without this the places are links all the same.

const places = (chart) => [...chart.querySelectorAll("[data-chart-place]")];

function show(chart, place) {
  const tip = chart.querySelector("[data-chart-tip]");
  const head = document.createElement("strong");
  head.textContent = place.dataset.title;
  const lines = place.dataset.lines.split("\n").map((text) => {
    const line = document.createElement("div");
    line.textContent = text;
    return line;
  });
  tip.replaceChildren(head, ...lines);
  tip.hidden = false;
  const plot = chart.querySelector("[data-chart-plot]").getBoundingClientRect();
  const at = place.querySelector(".chart__hit").getBoundingClientRect();
  const beside = at.right - plot.left + 8;
  const fits = beside + tip.offsetWidth <= plot.width;
  tip.style.left = `${Math.max(0, fits ? beside : at.left - plot.left - tip.offsetWidth - 8)}px`;
}

function hide(chart) {
  chart.querySelector("[data-chart-tip]").hidden = true;
}

// One stop for the Tab key; the arrows go from place to place.
function rove(chart, event) {
  const all = places(chart);
  const at = all.indexOf(event.target.closest("[data-chart-place]"));
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || to === undefined || !all[to]) return;
  event.preventDefault();
  for (const place of all) place.setAttribute("tabindex", place === all[to] ? "0" : "-1");
  all[to].focus();
}

function single(chart, button) {
  const chosen = button.getAttribute("aria-pressed") === "true" ? null : button.dataset.chartSeries;
  for (const each of chart.querySelectorAll("[data-chart-series]")) {
    each.setAttribute("aria-pressed", String(each.dataset.chartSeries === chosen));
  }
  chart.toggleAttribute("data-only", chosen !== null);
  for (const slice of chart.querySelectorAll(".chart__place .chart__slice")) {
    slice.classList.toggle("is-chosen", slice.dataset.series === chosen);
  }
}

function prepare(chart) {
  const all = places(chart);
  all.forEach((place, number) => place.setAttribute("tabindex", number === all.length - 1 ? "0" : "-1"));
  for (const place of all) {
    place.addEventListener("pointerenter", () => show(chart, place));
    place.addEventListener("pointerleave", () => hide(chart));
    place.addEventListener("focus", () => show(chart, place));
    place.addEventListener("blur", () => hide(chart));
  }
  chart.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide(chart);
    else rove(chart, event);
  });
  for (const button of chart.querySelectorAll("[data-chart-series]")) {
    button.addEventListener("click", () => single(chart, button));
  }
}

for (const chart of document.querySelectorAll("[data-chart]")) prepare(chart);
