"use strict";

/* Search the rows of "Find my bug" in place, and show the calls of one library only. */
document.addEventListener("DOMContentLoaded", () => {
  const article = document.querySelector(".bd-article");
  /* The calls are the same in many rows, and say nothing of one. */
  const isNoCall = (node) => node.nodeName !== "SPAN";
  const rows = [...article.querySelectorAll(".bugs tbody tr")].map((row) => ({
    row,
    text: plain(
      [...row.querySelectorAll("p")]
        .flatMap((paragraph) => [...paragraph.childNodes].filter(isNoCall))
        .map((node) => node.textContent)
        .join(" "),
    ),
    printed: [...row.cells[0].querySelectorAll("code")].map((code) => code.textContent),
  }));
  const KEY = "stable-softmax library";

  function plain(text) {
    return text.toLowerCase().replaceAll("−", "-");
  }

  /* A number is that of a row if it begins like it, or rounds to it. */
  function isNumber(query, printed) {
    if (!/^-?\d/.test(query) || Number.isNaN(Number(query))) return false;
    if (query.includes(".") && printed.startsWith(query)) return true;
    const [digits, exponent] = printed.split("e");
    const places = digits.split(".")[1]?.length ?? 0;
    const number = Number(query);
    return (
      printed ===
      (exponent ? number.toExponential(places).replace(/e-(\d)$/, "e-0$1") : number.toFixed(places))
    );
  }

  /* A pasted line contains the message of a row. Otherwise the rows with all words are shown, or, if
     there is none, those with most, where a word counts the more, the fewer rows have it. */
  function found(query) {
    const exact = rows.filter(({ printed }) =>
      printed.some(
        (text) => isNumber(query, text) || (text.includes(" ") && query.includes(plain(text))),
      ),
    );
    if (exact.length || !query) return exact.length ? exact : rows;
    const words = new Set(query.split(/[\s,;:?!"'`()[\]]+/).filter(Boolean));
    const having = [...words].map((word) => rows.filter(({ text }) => text.includes(word)));
    const known = having.filter((some) => some.length);
    const all = rows.filter((row) => known.every((some) => some.includes(row)));
    if (!known.length || all.length) return known.length ? all : [];
    const score = (row) => known.reduce((sum, h) => sum + (h.includes(row) ? 1 / h.length : 0), 0);
    const best = Math.max(...rows.map(score));
    return rows.filter((row) => score(row) >= best / 2);
  }

  const form = article.querySelector(".find-my-bug");
  const { q, library } = form.elements;
  const count = form.querySelector("output");

  function show() {
    const shown = new Set(found(plain(q.value.trim())));
    for (const row of rows) row.row.hidden = !shown.has(row);
    for (const section of article.querySelectorAll("section section:has(.bugs)"))
      section.hidden = !section.querySelector("tbody tr:not([hidden])");
    article.dataset.library = library.value;
    count.textContent =
      shown.size === 0
        ? "No row has any of these words: ask the search of the whole book."
        : `${shown.size} of ${rows.length} rows`;
  }

  form.addEventListener("input", () => {
    show();
    try {
      localStorage.setItem(KEY, library.value);
      history.replaceState(null, "", q.value ? `?${new URLSearchParams({ q: q.value })}` : "?");
    } catch {
      // a browser may forbid both, on a page that is a file
    }
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  q.value = new URLSearchParams(location.search).get("q") ?? "";
  try {
    library.value = localStorage.getItem(KEY) ?? "";
  } catch {
    // then every library is shown
  }
  show();
});
