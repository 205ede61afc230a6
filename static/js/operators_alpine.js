// The admin's theme writes what it does into attributes. Alpine usually compiles them, which our policy forbids, so that its CSP
// build reads them instead: one expression each, without globals. What it cannot read is put here in other words, before it
// looks. A theme that changes shows in the browser's console, and so in tests/e2e/test_content_policy.py.

const REPLACED = {
  "x-bind:style": {
    // As an object it is set by property; as text it would be an inline style.
    "'width: ' + changeListWidth + 'px'": "{ width: changeListWidth + 'px' }",
  },
  "x-bind:action": {
    "activeTab && activeTab !== 'general' ? window.location.pathname + window.location.search + '#' + activeTab : window.location.pathname + window.location.search":
      "addressOf(activeTab)",
  },
  "x-on:click": {
    "sidebarDesktopOpen = !sidebarDesktopOpen; localStorage.setItem('sidebarDesktopOpen', sidebarDesktopOpen ? '1' : '0');":
      "sidebarDesktopOpen = !sidebarDesktopOpen", // kept by the page itself
  },
  "x-on:focus": {
    "openSearchResults = true; currentIndex = 0": "[openSearchResults = true, currentIndex = 0]",
  },
  "x-on:keydown.escape.prevent": {
    "openSearchResults = false; if ($refs.searchInput.value === '') { $refs.searchInput.blur() } else { $refs.searchInput.value = '' }":
      "leaveSearch()",
  },
  "x-on:keydown.enter.prevent": {
    "if (!$event.metaKey && !$event.ctrlKey) selectItem(true, false)": "!$event.metaKey && !$event.ctrlKey && selectItem(true, false)",
    "if (!$event.metaKey && !$event.ctrlKey) selectItem(false, false)": "!$event.metaKey && !$event.ctrlKey && selectItem(false, false)",
  },
};

function page(tab) {
  return {
    activeTab: (tab && getCurrentTab()) || tab,
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    init() {
      this.$watch("sidebarDesktopOpen", (open) => localStorage.setItem("sidebarDesktopOpen", open ? "1" : "0"));
    },
    addressOf(tab) {
      return location.pathname + location.search + (tab && tab !== "general" ? `#${tab}` : "");
    },
    moveRecords,
    sortRecords,
  };
}

function searchDropdownToLeave() {
  return {
    ...searchDropdown(),
    leaveSearch() {
      this.openSearchResults = false;
      const input = this.$refs.searchInput;
      if (input.value === "") input.blur();
      else input.value = "";
    },
  };
}

document.addEventListener("alpine:init", () => {
  Alpine.data("theme", theme);
  Alpine.data("page", page);
  Alpine.data("searchForm", searchForm);
  Alpine.data("searchDropdown", searchDropdownToLeave);
  Alpine.data("searchCommand", searchCommand);
  Alpine.interceptInit((element) => {
    if (element === document.body) {
      const tab = /activeTab: '([^']*)'/.exec(element.getAttribute("x-data") ?? "");
      element.setAttribute("x-data", `page('${tab ? tab[1] : ""}')`);
      element.removeAttribute("x-init");
    }
    for (const [name, expressions] of Object.entries(REPLACED)) {
      const other = expressions[element.getAttribute(name)];
      if (other) element.setAttribute(name, other);
    }
  });
});

// Neither evaluates what attributes say nor writes a style of its own into the page: css/operators_theme.css has it.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
