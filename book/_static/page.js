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

/* On a phone a table that is wider than the page, or so narrow that its rows are long, is stacked: the
   first cell of a row has a line of its own above the others. If that does not help, each cell has one. */
document.addEventListener("DOMContentLoaded", () => {
  const main = document.getElementById("main-content");
  const phone = matchMedia("(max-width: 760px)");
  const LONG = 220; // px, about ten lines
  const box = (table) => table.parentElement;
  const scrolls = (table) => box(table).scrollWidth > box(table).clientWidth;
  const hasLongRow = ({ rows }) => [...rows].some((row) => row.offsetHeight > LONG);

  function nameCells(table) {
    const heads = [...table.rows[0].cells].map((cell) => cell.innerText.trim());
    for (const { cells } of table.tBodies[0].rows)
      [...cells].forEach((cell, i) => { cell.dataset.head = heads[i]; });
    table.style.setProperty("--columns", heads.length - 1);
    table.style.setProperty("--more", heads.length - 2);
  }

  function stack() {
    if (!phone.matches) return;
    const all = [...main.querySelectorAll(".pst-scrollable-table-container > table")];
    const tables = all.filter((table) => table.tHead && table.rows[0].cells.length > 2);
    for (const table of tables) table.classList.remove("stacked", "one-by-one");
    const wide = tables.filter((table) => scrolls(table) || hasLongRow(table));
    for (const table of wide) {
      nameCells(table);
      table.classList.add("stacked");
    }
    for (const table of wide.filter(scrolls)) table.classList.replace("stacked", "one-by-one");
    for (const table of tables) {
      const tabIndex = scrolls(table) ? 0 : -1;
      if (box(table).tabIndex !== tabIndex) box(table).tabIndex = tabIndex;
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
