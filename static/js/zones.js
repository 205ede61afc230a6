// Fields for a time zone: the browser offers every zone that it knows, and its own where nobody ever chose one.

function offer() {
  const list = document.createElement("datalist");
  list.id = "zones";
  list.append(...Intl.supportedValuesOf("timeZone").map((zone) => new Option(zone, zone)));
  document.body.append(list);
  return list;
}

function prepare(field) {
  if (field.dataset.zones === "guess") field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  field.dataset.zones = "ready";
  field.setAttribute("list", (document.getElementById("zones") ?? offer()).id);
}

function prepareAll() {
  for (const field of document.querySelectorAll('[data-zones]:not([data-zones="ready"])')) prepare(field);
}

prepareAll();
document.addEventListener("htmx:afterSettle", prepareAll);
