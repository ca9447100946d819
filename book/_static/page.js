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

/* On a phone a table that is wider than the page, or so narrow that its rows are long, is stacked: the
   first cell of a row has a line of its own above the others. If that does not help, each cell has one. */
document.addEventListener("DOMContentLoaded", () => {
  const main = document.getElementById("main-content");
  const phone = matchMedia("(max-width: 760px)");
  const LONG = 220; // px, about ten lines
  const box = (table) => table.parentElement;
  const scrolls = (table) => box(table).scrollWidth > box(table).clientWidth;
  const hasLongRow = ({ rows }) => [...rows].some((row) => row.offsetHeight > LONG);
  const isTight = ({ scrollWidth, clientWidth, offsetHeight }) =>
    scrollWidth > clientWidth || offsetHeight > LONG;
  const isCrowded = (table) => scrolls(table) || [...table.querySelectorAll("td")].some(isTight);

  /* Spaces in the place of decimals that other numbers of the column have. */
  function partSpaces(cell) {
    const text = (cell.querySelector("p") ?? cell).lastChild;
    const start = text?.nodeType === Node.TEXT_NODE ? text.data.search(/[\u2007\u2008]+$/) : -1;
    if (start > 0) {
      const box = document.createElement("span");
      box.className = "decimals";
      const spaces = text.splitText(start);
      spaces.replaceWith(box);
      box.append(spaces);
    }
  }

  function nameCells(table) {
    const heads = [...table.rows[0].cells].map((cell) => cell.innerText.trim());
    for (const { cells } of table.tBodies[0].rows)
      [...cells].forEach((cell, i) => { cell.dataset.head = heads[i]; partSpaces(cell); });
    table.style.setProperty("--columns", heads.length - 1);
    table.style.setProperty("--more", heads.length - 2);
  }

  function stack({ type } = {}) {
    if (!phone.matches) return;
    const all = [...main.querySelectorAll(".pst-scrollable-table-container > table")];
    const tables = all.filter((table) => table.tHead && table.rows[0].cells.length > 2);
    if (type === "resize") // else what a reader sees already would move
      for (const table of tables) table.classList.remove("stacked", "one-by-one");
    const wide = tables.filter((table) => scrolls(table) || hasLongRow(table));
    for (const table of wide) {
      nameCells(table);
      table.classList.add("stacked");
    }
    for (const table of wide.filter(isCrowded)) table.classList.replace("stacked", "one-by-one");
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

/* A formula that is wider than a phone becomes as small as it must, so that none has to be scrolled. */
document.addEventListener("DOMContentLoaded", () => {
  const formulas = [...document.querySelectorAll('.bd-article mjx-container[display="true"]')];

  function fit() {
    for (const { style } of formulas) style.fontSize = "";
    const room = formulas.map((formula) => formula.clientWidth / formula.scrollWidth);
    const sizes = formulas.map((formula) => parseFloat(getComputedStyle(formula).fontSize));
    formulas.forEach(({ style }, i) => {
      if (room[i] < 1) style.fontSize = `${Math.floor(10 * room[i] * sizes[i]) / 10}px`;
    });
  }

  addEventListener("resize", fit);
  addEventListener("toggle", fit, true); // what was folded had no width
  fit();
});

/* The arrow keys lead to the next page and to the one before, unless what has the focus may want them:
   a control, an explorable, the editor of a cell, a box that scrolls; or the page itself scrolls. */
addEventListener("keydown", (event) => {
  const { key, target, altKey, ctrlKey, metaKey, shiftKey } = event;
  const way = { ArrowLeft: "a.left-prev", ArrowRight: "a.right-next" }[key];
  if (!way || event.defaultPrevented || altKey || ctrlKey || metaKey || shiftKey) return;
  const own = "input, textarea, select, button, summary, figure, dialog, [tabindex], [contenteditable]";
  if (target.closest?.(own) || document.querySelector("dialog[open]")) return;
  if (document.scrollingElement.scrollWidth > innerWidth) return;
  document.querySelector(way)?.click();
});

/* The sidebar ticks the chapters that have been read and counts the exercises that have been solved.
   This browser keeps both and tells nobody. A chapter has been read when each of its headings has been
   on the screen; book/run_in_page/session.js keeps what was solved. */
document.addEventListener("DOMContentLoaded", () => {
  const READ = "stable-softmax read";
  const nav = document.querySelector(".bd-docs-nav");
  const chapters = [...(nav?.querySelectorAll("a") ?? [])].filter((a) => /^\s*\d/.test(a.textContent));
  const solvedOn = (path) => recall(`stable-softmax ${path}`);
  const notes = new Map();

  function recall(key) {
    try {
      return JSON.parse(localStorage.getItem(key)) ?? {};
    } catch {
      return {};
    }
  }

  function keep(key, value) {
    try {
      localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // a browser that keeps nothing shows no ticks
    }
  }

  function part(tag, className, text, ...children) {
    const element = Object.assign(document.createElement(tag), { className, textContent: text });
    element.append(...children);
    return element;
  }

  function tick() {
    const read = recall(READ);
    const sum = { read: 0, solved: 0 };
    for (const link of chapters) {
      const { pathname } = new URL(link.href);
      const [solved, of] = solvedOn(pathname).done ?? [0, 0];
      const isRead = read[pathname] === true;
      sum.read += isRead;
      sum.solved += solved;
      notes.get(link)?.remove();
      if (!isRead && !solved) continue;
      const words = [isRead && "read", solved && `${solved} of ${of} exercises solved`];
      const note = part("span", "noted", "", part("span", "visually-hidden", `, ${words.filter(Boolean).join(", ")}`));
      if (isRead) note.append(part("i", "fa-solid fa-check", ""));
      if (solved) note.append(part("small", "", `${solved}/${of}`));
      note.querySelectorAll("i, small").forEach((sign) => sign.setAttribute("aria-hidden", true));
      link.append(note);
      notes.set(link, note);
    }
    notes.get(nav)?.remove();
    if (!sum.read && !sum.solved) return;
    const forget = Object.assign(part("button", "", "Forget"), { type: "button", onclick: ask });
    const exercises = sum.solved === 1 ? "exercise" : "exercises";
    const text = `Here: ${sum.read} of ${chapters.length} chapters read, ${sum.solved} ${exercises} solved. `;
    const line = part("p", "noted-all", text, forget);
    notes.set(nav, line);
    nav.append(line);
  }

  function ask() {
    if (!confirm("Forget which chapters you have read here and which exercises you have solved?")) return;
    keep(READ, {});
    for (const { href } of chapters) {
      const { pathname } = new URL(href);
      const { texts } = solvedOn(pathname);
      if (texts) keep(`stable-softmax ${pathname}`, { texts, solved: [] });
    }
    location.reload(); // the cells of this page, too
  }

  function watch() {
    const headings = [...document.querySelectorAll(".bd-article section > h2")];
    const observer = new IntersectionObserver((entries) => {
      const read = recall(READ);
      if (read[location.pathname] === true) return observer.disconnect();
      const seen = new Set(read[location.pathname]);
      for (const { target, isIntersecting } of entries) if (isIntersecting) seen.add(target.parentElement.id);
      const all = headings.every((heading) => seen.has(heading.parentElement.id));
      keep(READ, { ...read, [location.pathname]: all || [...seen] });
      if (all) tick();
    });
    headings.forEach((heading) => observer.observe(heading));
  }

  if (!chapters.length) return;
  tick();
  if (document.querySelector(".in-this-chapter")) watch();
  for (const event of ["solved", "storage", "pageshow"]) addEventListener(event, tick);
});

/* What a link leads to, shown beside it: a term, an equation, a figure, a reference, a function. The
   build has written what each page has to show into a script, so that it is found in a folder, too. */
document.addEventListener("DOMContentLoaded", () => {
  const root = new URL(document.documentElement.dataset.content_root ?? "", location).href;
  const main = document.querySelector("main article");
  const pages = {};
  const box = document.createElement("div"); // in the article, so that it looks like it
  box.id = "preview";
  box.setAttribute("role", "note"); // a tooltip would need a name, which would hide what it says
  let link; // to what is shown, or will be
  let timer;
  if (!main) return;

  function load(page) {
    pages[page] ??= new Promise((done) => {
      const script = document.createElement("script");
      script.onload = () => done(window.PREVIEWS[page]);
      script.onerror = () => done({});
      script.src = `${root}previews/${page}.js`;
      document.head.append(script);
    });
    return pages[page];
  }

  async function show() {
    const asked = link;
    const { origin, pathname, hash, protocol } = new URL(asked.href);
    const address = `${protocol === "file:" ? "file://" : origin}${pathname}`;
    if (!address.startsWith(root)) return;
    const page = address.slice(root.length).replace(/(^|\/)$/, "$1index").replace(/\.html$/, "");
    const html = (await load(page))[decodeURIComponent(hash.slice(1))];
    if (!html || asked !== link) return;
    const content = document.createElement("template");
    content.innerHTML = html;
    for (const name of ["src", "srcset"])
      for (const image of content.content.querySelectorAll(`[${name}]`))
        image[name] = root + image.getAttribute(name);
    box.replaceChildren(content.content);
    main.append(box);
    asked.setAttribute("aria-describedby", box.id);
    asked.removeAttribute("title"); // the browser would show it over the box
    place(asked.getClientRects()[0]);
  }

  function place({ left, top, bottom }) {
    const { offsetWidth: width, offsetHeight: height } = box;
    const below = bottom + height + 8 < innerHeight || top < innerHeight / 2;
    box.style.left = `${Math.max(8, Math.min(left, document.documentElement.clientWidth - width - 8))}px`;
    box.style.top = `${below ? bottom + 6 : top - height - 6}px`;
  }

  function hide() {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    link = undefined;
    box.remove();
  }

  function come(target, wait) {
    const found = target.closest?.('a.reference.internal[href*="#"]');
    if (box.isConnected && (found === link || box.contains(target))) return clearTimeout(timer);
    if (!found) return;
    hide();
    link = found;
    timer = setTimeout(show, wait);
  }

  function leave() {
    clearTimeout(timer);
    timer = setTimeout(hide, 250); // time to move into the box
  }

  main.addEventListener("pointerover", ({ target, pointerType }) => {
    if (pointerType === "mouse") come(target, 300);
  });
  main.addEventListener("pointerout", leave);
  main.addEventListener("focusin", ({ target }) => target.matches(":focus-visible") && come(target, 300));
  main.addEventListener("focusout", leave);
  main.addEventListener("click", hide);
  addEventListener("scroll", () => box.isConnected && hide());
  addEventListener("keydown", ({ key }) => key === "Escape" && hide());
});
