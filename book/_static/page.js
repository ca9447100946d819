"use strict";

/* Paper is light, whatever the reader's screen is. */
{
  const { dataset } = document.documentElement;
  let theme;

  addEventListener("beforeprint", () => {
    theme = dataset.theme;
    dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    dataset.theme = theme;
  });
}

/* What scrolls sideways takes the focus: the theme sees to that. This script gives each such box the
   role and the name that a screen reader announces. */
document.addEventListener("DOMContentLoaded", () => {
  const main = document.getElementById("main-content");

  function kind(box) {
    return box.tagName === "PRE" ? "Listing" : "Table";
  }

  function announce() {
    main.querySelectorAll("pre, div[tabindex]").forEach((box, i) => {
      const scrolls = box.tabIndex === 0;
      if (scrolls === box.hasAttribute("aria-label")) return;
      if (scrolls) {
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", `${kind(box)} ${i + 1}, scrolls sideways`);
      } else {
        box.removeAttribute("role");
        box.removeAttribute("aria-label");
      }
    });
  }

  new MutationObserver(announce).observe(main, { subtree: true, attributeFilter: ["tabindex"] });
  addEventListener("resize", announce);
  addEventListener("load", announce);
});
