/* What a page loads when a reader wants to run or edit a cell: the editor, and the talk with Python.

   A cell keeps three things: its own text as printed, the reader's text in its editor, and what it
   put out last. The reader's texts and the exercises solved stay in this browser. */
import { createEditor } from "./editor/index.js";
import { defaultKeymap, editHistory, editorCommands } from "./editor/extensions/commands/index.js";
import { highlightText } from "./editor/prism/index.js";
import "./editor/prism/languages/python.js";
import "./editor/languages/python.js";

document.head.append(
  ...["editor/layout.css", "session.css"].map((name) =>
    make("link", { rel: "stylesheet", href: new URL(name, import.meta.url) }),
  ),
);

const KEY = `stable-softmax ${location.pathname}`;
const SOLVED = /: (\d+) of (\d+) checks? passed/;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

/* What the reader has done on this page: {texts: {printed: edited}, solved: [printed]}. */
const kept = { texts: {}, solved: [], ...read() };

function keep() {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // a browser that keeps nothing still runs the cells
  }
}

class Cell {
  constructor(element, index) {
    this.element = element;
    this.index = index;
    this.input = element.querySelector(".cell_input");
    this.pre = this.input.querySelector("pre");
    this.printed = this.pre.textContent.replace(/\n+$/, "");
    this.bar = element.querySelector(".run-bar");
    this.runs = Boolean(this.bar?.querySelector("button"));
    this.hasFigure = Boolean(element.querySelector("figure img, img"));
    this.isExercise = element.classList.contains("tag_exercise");
    if (!this.runs) return;
    this.status = make("span", { className: "run-status" });
    this.status.setAttribute("role", "status");
    this.bar.append(this.button("stop", "Stop"), this.button("reset", "Reset"), this.status);
    this.show("stop", false);
    this.show("reset", false);
    const edited = kept.texts[this.printed];
    if (edited !== undefined) this.edit(edited);
  }

  button(action, text) {
    const button = make("button", { type: "button", textContent: text });
    button.dataset.run = action;
    button.setAttribute("aria-label", `${text} cell ${this.index + 1}`);
    return button;
  }

  show(action, visible) {
    this.bar.querySelector(`[data-run="${action}"]`).hidden = !visible;
  }

  get text() {
    return this.editor ? this.editor.value : this.printed;
  }

  edit(text = this.printed) {
    if (this.editor) return;
    const box = make("div", { className: "run-editor" });
    this.input.classList.add("edited");
    this.bar.before(box);
    this.editor = createEditor(
      box,
      { language: "python", value: text, tabSize: 4, insertSpaces: true, lineNumbers: true },
      editorCommands(defaultKeymap),
      editHistory(),
    );
    const { textarea } = this.editor;
    textarea.setAttribute("aria-label", `Code of cell ${this.index + 1}`);
    textarea.setAttribute(
      "aria-description",
      "Tab indents, Escape leaves the editor, Control or Command with Enter runs the cell.",
    );
    // before the keys of the editor: it would insert a line
    box.addEventListener("keydown", (event) => this.pressed(event), true);
    this.editor.on("update", () => this.changed());
    this.show("edit", false);
    this.show("reset", true);
  }

  pressed(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.bar.querySelector('[data-run="run"]').focus();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      event.stopPropagation();
      run(this);
    }
  }

  changed() {
    if (this.editor.value === this.printed) delete kept.texts[this.printed];
    else kept.texts[this.printed] = this.editor.value;
    keep();
  }

  say(text) {
    this.status.textContent = text;
  }

  /* Bring back what the page has printed. The exercise stays solved. */
  reset() {
    delete kept.texts[this.printed];
    keep();
    done.delete(this.index);
    this.result?.remove();
    this.element.classList.remove("ran");
    this.element.querySelector(".run-editor")?.remove();
    this.input.classList.remove("edited");
    this.editor = undefined;
    this.show("edit", true);
    this.show("reset", false);
    this.say("");
    this.bar.querySelector('[data-run="run"]').focus();
  }

  put(outputs, error) {
    this.result?.remove();
    this.result = make("div", { className: "cell_output run-output docutils container" });
    this.result.append(...outputs.map((output) => this.element_of(output)));
    if (error) {
      const where = error.line ? `Line ${error.line}: ` : "";
      this.result.append(listing("error", where + error.text));
    }
    if (this.text === this.printed && !error && this.differs())
      this.result.append(make("p", { className: "run-note", textContent: OTHER_DIGITS }));
    this.element.classList.add("ran");
    this.element.append(this.result);
    this.show("reset", true);
    const formulas = this.result.querySelectorAll(".math");
    if (formulas.length) setFormulas([...formulas]);
    if (this.isExercise) this.judge(outputs);
  }

  /* Whether the result of the printed text is another than the printed result. */
  differs() {
    const printed = this.element.querySelector(".cell_output:not(.run-output)");
    return said(printed).join() !== said(this.result).join();
  }

  element_of({ kind, text, html, svg }) {
    if (kind === "figure") return this.figure(svg);
    if (kind !== "html") return listing(KINDS[kind], text);
    const box = make("div", { innerHTML: html });
    for (const table of box.querySelectorAll("table")) nameRows(table);
    for (const pre of box.querySelectorAll("pre[data-language]"))
      pre.innerHTML = highlightText(pre.textContent, "python");
    return box;
  }

  /* A figure takes the place of the one that the page has. Its caption and its description are true
     of the printed code, and are left out where the reader has changed it. */
  figure(svg) {
    const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    const printed = this.text === this.printed && this.element.querySelector("figure");
    const figure = printed ? printed.cloneNode(true) : make("figure", {}, make("img"));
    figure.removeAttribute("id");
    figure.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
    figure.querySelectorAll(".headerlink").forEach((link) => link.remove());
    const image = figure.querySelector("img");
    image.src = address;
    image.alt ||= "The figure that this cell has just drawn.";
    return figure;
  }

  judge(outputs) {
    const verdicts = outputs.flatMap(({ text }) => text?.match(SOLVED) ?? []);
    if (!verdicts.length) return;
    const solved = verdicts[1] === verdicts[2];
    if (solved && !kept.solved.includes(this.printed)) kept.solved.push(this.printed);
    keep();
    score();
  }
}

/* As on the page: where the first column has no header, its cells are headers of their rows. */
function nameRows(table) {
  const corner = table.querySelector("th");
  if (corner.textContent.trim()) return;
  corner.replaceWith(make("td"));
  for (const cell of table.querySelectorAll("td:first-child:not(:only-child)"))
    if (cell.textContent.trim()) cell.replaceWith(make("th", { scope: "row", className: cell.className, innerHTML: cell.innerHTML }));
}

const OTHER_DIGITS =
  "Not the printed digits: the exp and log of this browser round differently from those of the machine on which the book was made.";

/* What a result says, apart from figures and formulas. */
function said(box) {
  const parts = [...(box?.querySelectorAll("pre, td, th") ?? [])];
  return parts.filter((part) => !part.querySelector(".math")).map((part) => part.textContent.trim()).sort();
}

/* The formulas of a page have been set when the book was built; those of a result are set here. */
let mathjax;

async function setFormulas(formulas) {
  mathjax ??= new Promise((done) => {
    const src = new URL("mathjax/tex-chtml.js", import.meta.url);
    document.head.append(make("script", { src, onload: done }));
  });
  await mathjax;
  await MathJax.startup.promise;
  await MathJax.typesetPromise(formulas);
}

const KINDS = { stdout: "stream", stderr: "stderr", result: "text_plain" };

function listing(kind, text) {
  const pre = make("pre", { textContent: text });
  return make("div", { className: `output ${kind} highlight-myst-ansi` }, make("div", { className: "highlight" }, pre));
}

const cells = [...document.querySelectorAll(".bd-article .cell")].map(
  (element, index) => new Cell(element, index),
);
const done = new Set();
let worker;
let asked; // the cell that the reader waits for

function work() {
  worker ??= Object.assign(new Worker(new URL("worker.js", import.meta.url), { type: "module" }), {
    onmessage: ({ target, data }) => target === worker && hear(data), // not one that was stopped
    onerror: () => end("Python could not be started here."),
  });
  return worker;
}

function run(cell) {
  if (asked) {
    if (asked !== cell) cell.say(`Wait: cell ${asked.index + 1} is running`);
    return;
  }
  cell.edit();
  asked = cell;
  cell.started = performance.now();
  cell.show("stop", true);
  cell.say("Starting");
  done.delete(cell.index);
  work().postMessage({
    target: cell.index,
    sources: cells.map((other) => (other.runs ? other.text : null)),
    figures: cells.map((other) => other.hasFigure),
    done: [...done],
  });
}

function hear(message) {
  if (!asked) return; // it has been stopped
  if (message.says) asked.say(message.says);
  if (message.of > 1) asked.say(`Running cell ${message.position + 1} of ${message.of}`);
  else if (message.of) asked.say("Running");
  if (message.ran !== undefined) ran(cells[message.ran], message);
  if (message.failed) end(`Python could not go on: ${message.failed}`);
  if (message.end) end();
}

function ran(cell, { outputs, error }) {
  const isAsked = cell === asked;
  if (!error) done.add(cell.index);
  if (isAsked || error || cell.text !== cell.printed) cell.put(outputs, error);
  if (!error) return;
  end(isAsked ? "Ended with an error" : `Cell ${cell.index + 1} above ended with an error`);
}

function end(text) {
  if (!asked) return;
  const seconds = ((performance.now() - asked.started) / 1000).toFixed(1);
  asked.say(text ?? `Done in ${seconds} s`);
  asked.show("stop", false);
  asked = undefined;
}

/* A loop without end can be ended only with its worker. The names of all cells go with it. */
function stop() {
  worker.terminate();
  worker = undefined;
  done.clear();
  end("Stopped");
}

function score() {
  const exercises = cells.filter((cell) => cell.isExercise && cell.runs);
  const solved = exercises.filter((cell) => kept.solved.includes(cell.printed));
  for (const cell of solved) cell.element.classList.add("solved");
  const heading = document.querySelector("#exercises > h2");
  if (!heading || !solved.length) return;
  let line = document.querySelector(".run-score");
  if (!line) heading.after((line = make("p", { className: "run-score" })));
  line.textContent = `${solved.length} of ${exercises.length} solved in this page`;
}

score();

/* The click that loaded this file comes here, and all that follow. */
export function act(button) {
  const cell = cells.find(({ element }) => element.contains(button));
  const actions = {
    run: () => run(cell),
    stop,
    reset: () => (asked === cell ? stop() : undefined, cell.reset()),
    edit() {
      cell.edit();
      cell.editor.textarea.focus();
      cell.say(`${/Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl"} + Enter runs, Esc leaves`);
    },
  };
  actions[button.dataset.run]();
}
