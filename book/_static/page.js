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

/* What scrolls sideways takes the focus: the theme sees to code and tables, this script to figures.
   It also gives each such box the role and the name that a screen reader announces. */
document.addEventListener("DOMContentLoaded", () => {
  const main = document.getElementById("main-content");

  function kind(box) {
    if (box.tagName === "PRE") return "Listing";
    return box.className === "figure-box" ? "Figure" : "Table";
  }

  function announce() {
    main.querySelectorAll(".figure-box, pre, div[tabindex]").forEach((box, i) => {
      const figure = box.className === "figure-box";
      const scrolls = figure ? box.scrollWidth > box.clientWidth : box.tabIndex === 0;
      if (scrolls === box.hasAttribute("aria-label")) return;
      if (scrolls) {
        box.setAttribute("role", "region");
        box.setAttribute("aria-label", `${kind(box)} ${i + 1}, scrolls sideways`);
      } else {
        box.removeAttribute("role");
        box.removeAttribute("aria-label");
      }
      if (figure) box.tabIndex = scrolls ? 0 : -1;
    });
  }

  new MutationObserver(announce).observe(main, { subtree: true, attributeFilter: ["tabindex"] });
  addEventListener("resize", announce);
  addEventListener("load", announce);
});
