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

/* A table that is wider than the page, or so narrow that its rows are long, is stacked: the first cell
   of a row has a line of its own above the others. If that does not help, each cell has one. */
document.addEventListener("DOMContentLoaded", () => {
  const main = document.getElementById("main-content");
  const LONG = 220; // px, about ten lines
  const scrolls = (box) => box.scrollWidth > box.clientWidth;
  const isLong = (row) => row.offsetHeight > LONG;

  function nameCells(table) {
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.innerText.trim());
    for (const row of table.tBodies[0].rows)
      [...row.cells].forEach((cell, i) => { cell.dataset.head = heads[i]; });
    table.style.setProperty("--columns", heads.length - 1);
    table.style.setProperty("--more", heads.length - 2);
  }

  function stack() {
    let boxes = [...main.querySelectorAll(".pst-scrollable-table-container")];
    boxes = boxes.filter((box) => box.querySelector("thead th:nth-child(n + 3), thead td + th + th"));
    for (const box of boxes) box.classList.remove("stacked", "one-by-one");
    const wide = boxes.filter((box) => scrolls(box) || [...box.querySelectorAll("tbody tr")].some(isLong));
    for (const box of wide) {
      nameCells(box.querySelector("table"));
      box.classList.add("stacked");
    }
    for (const box of wide.filter(scrolls)) box.classList.replace("stacked", "one-by-one");
    for (const box of boxes) {
      const tabIndex = scrolls(box) ? 0 : -1;
      if (box.tabIndex !== tabIndex) box.tabIndex = tabIndex;
    }
  }

  const hasTable = ({ addedNodes }) => [...addedNodes].some((node) => node.querySelector?.("table"));
  const seeChanges = (changes) => changes.some(hasTable) && stack();
  new MutationObserver(seeChanges).observe(main, { subtree: true, childList: true });
  addEventListener("resize", stack);
  addEventListener("load", stack);
  addEventListener("toggle", stack, true); // what was folded had no width
  stack();
});
