/* What the explorables share: the arithmetic of the book's formats, exact values, the element.
   The formulas are those of src/stable_softmax, line by line; the tests compare the two. */
const StableSoftmax = (() => {
  "use strict";

  // Formats, as in floating_point.py

  const formats = {};
  for (const [name, label, precision, emin, emax, hasInfinity] of [
    ["fp64", "fp64", 53, -1022, 1023, true],
    ["fp32", "fp32", 24, -126, 127, true],
    ["fp16", "fp16", 11, -14, 15, true],
    ["bf16", "bf16 (bfloat16)", 8, -126, 127, true],
    ["e5m2", "e5m2 (fp8)", 3, -14, 15, true],
    ["e4m3", "e4m3 (fp8)", 4, -6, 8, false],
  ]) {
    const largest = (2 - 2 ** (1 - precision) * (hasInfinity ? 1 : 2)) * 2 ** emax;
    formats[name] = {
      name, label, precision, emin, emax, hasInfinity, largest,
      smallestNormal: 2 ** emin,
      overflowAbove: Math.log(largest) + Math.log1p(2 ** (emax - precision) / largest),
      subnormalBelow: emin * Math.LN2, // exp is subnormal below, and 0 below the next
      zeroBelow: (emin - precision) * Math.LN2,
    };
  }

  const view = new DataView(new ArrayBuffer(8));

  /** The exponent of a number, at least that of the smallest normal number of the format. */
  function exponent(x, f) {
    view.setFloat64(0, x);
    return Math.max(((view.getUint16(0) >> 4) & 2047) - 1023, f.emin);
  }

  /** The spacing of the numbers of a format, from a number on. */
  const ulp = (x, f) => 2 ** (exponent(x, f) - f.precision + 1);

  /** The nearest number of a format; a tie goes to the even one. */
  function round(x, f) {
    if (f.precision === 53 || Number.isNaN(x)) return x;
    if (f.precision === 24) return Math.fround(x);
    const unit = ulp(x, f);
    const units = Math.abs(x) / unit + 2 ** 52 - 2 ** 52; // there, the spacing of fp64 is 1
    const y = units * unit <= f.largest ? units * unit : f.hasInfinity ? Infinity : NaN;
    return x < 0 || Object.is(x, -0) ? -y : y;
  }

  /** The operations of a format: each is rounded once. */
  function ops(f) {
    const add = (a, b) => round(a + b, f);
    return {
      add,
      sub: (a, b) => round(a - b, f),
      mul: (a, b) => round(a * b, f),
      div: (a, b) => round(a / b, f),
      exp: (x) => round(Math.exp(x), f),
      log: (x) => round(Math.log(x), f),
      log1p: (x) => round(Math.log1p(x), f),
      // From left to right, as NumPy adds a short row. It adds fp16 in fp32 and rounds the sum.
      sum: (v) => (f.name === "fp16" ? round(v.reduce(ops(formats.fp32).add), f) : v.reduce(add)),
    };
  }

  // Formulas, as in softmax.py, logsumexp.py, log_softmax.py and cross_entropy.py

  const max = (x) => Math.max(...x);
  const shift = (x, f) => x.map((v) => ops(f).sub(v, max(x)));

  function softmaxNaive(x, f) {
    const { exp, sum, div } = ops(f);
    const e = x.map(exp);
    const s = sum(e);
    return e.map((v) => div(v, s));
  }
  const softmaxShifted = (x, f) => softmaxNaive(shift(x, f), f);

  function logsumexpNaive(x, f) {
    const { exp, sum, log } = ops(f);
    return log(sum(x.map(exp)));
  }
  const logsumexpShifted = (x, f) => ops(f).add(max(x), logsumexpNaive(shift(x, f), f));
  function logsumexpLog1p(x, f) {
    const { exp, sum, log, log1p, add, div } = ops(f);
    const m = max(x);
    const k = x.filter((v) => v === m).length;
    const rest = sum(shift(x, f).map((z, i) => (x[i] === m ? 0 : exp(z))));
    return add(m, add(log(k), log1p(div(rest, k))));
  }

  const logSoftmaxNaive = (x, f) => softmaxNaive(x, f).map(ops(f).log);
  const logSoftmaxTwoStep = (x, f) => softmaxShifted(x, f).map(ops(f).log);
  function logSoftmaxEpsilon(x, f, epsilon = 1e-7) {
    const { add, log } = ops(f);
    return softmaxShifted(x, f).map((p) => log(add(p, round(epsilon, f))));
  }
  function logSoftmaxClamped(x, f, epsilon = 1e-7) {
    const floor = round(epsilon, f);
    return softmaxShifted(x, f).map((p) => ops(f).log(p < floor ? floor : p));
  }
  /** x - lse(x), where lse is a function of the row and the format. */
  const minus = (x, f, lse) => x.map((v) => ops(f).sub(v, lse(x, f)));
  const logSoftmaxFromLogsumexp = (x, f) => minus(x, f, logsumexpShifted);
  const logSoftmaxShifted = (x, f) => minus(shift(x, f), f, logsumexpNaive);
  const logSoftmaxLog1p = (x, f) => minus(shift(x, f), f, logsumexpLog1p);

  /** The loss of a label: minus the entry of a log-softmax function, further arguments go to it. */
  const crossEntropy = (logSoftmax, x, label, f, ...more) => -logSoftmax(x, f, ...more)[label];
  /** p - y */
  const crossEntropyGradient = (x, label, f) =>
    softmaxShifted(x, f).map((p, i) => ops(f).sub(p, i === label ? 1 : 0));

  // Exact values: numbers {n, k} that stand for n * 2**k, n a BigInt. What is not exact has more
  // than 600 right bits.

  const GRID = 1280; // fixed-point numbers are multiples of 2**-1280; every fp64 number is one
  const bits = (n) => (n < 0n ? -n : n).toString(2).length;
  const top = (v) => bits(v.n) + v.k - 1;
  const move = (n, by) => (by < 0 ? n >> BigInt(-by) : n << BigInt(by));
  const fixed = (v) => move(v.n, v.k + GRID);
  const unfixed = (n) => ({ n, k: -GRID });

  /** A number of fp64. */
  function big(x) {
    const k = exponent(x, formats.fp64) - 52;
    return { n: BigInt(x / 2 ** k), k };
  }
  function add(a, b) {
    if (a.n === 0n || b.n === 0n || Math.abs(top(a) - top(b)) > 9999) {
      return a.n === 0n || (b.n !== 0n && top(b) > top(a)) ? b : a;
    }
    const k = Math.min(a.k, b.k);
    return { n: move(a.n, a.k - k) + move(b.n, b.k - k), k };
  }
  const negative = (v) => ({ n: -v.n, k: v.k });
  const sub = (a, b) => add(a, negative(b));
  function div(a, b) {
    const by = GRID + bits(b.n);
    return { n: move(a.n, by) / b.n, k: a.k - b.k - by };
  }

  let LN2 = 0n; // 2 atanh(1/3)
  for (let i = 1n, t = (2n << BigInt(GRID)) / 3n; t; i += 2n, t /= 9n) LN2 += t / i;

  function exp(v) {
    const x = fixed(v);
    let q = x / LN2;
    if (x < q * LN2) q -= 1n;
    const r = (x - q * LN2) >> 16n;
    let term = 1n << BigInt(GRID);
    let sum = 0n;
    for (let i = 1n; term; i += 1n) {
      sum += term;
      term = ((term * r) >> BigInt(GRID)) / i;
    }
    for (let i = 0; i < 16; i += 1) sum = (sum * sum) >> BigInt(GRID);
    return { n: sum, k: Number(q) - GRID };
  }
  /** log(1 + v) for v >= 0: itself where its square does not count, else three Halley steps. */
  function log1p(v) {
    if (v.n === 0n || top(v) < -640) return v;
    const s = (1n << BigInt(GRID)) + fixed(v);
    let y = fixed(big(Math.log1p(nearest(v))));
    for (let i = 0; i < 3; i += 1) {
      const e = fixed(exp(unfixed(y)));
      y += move(s - e, GRID + 1) / (s + e);
    }
    return unfixed(y);
  }

  /** Exact softmax p, log-softmax logp, 1 - p and log-sum-exp of finite logits. */
  function exact(x) {
    const m = big(max(x));
    const at = x.indexOf(max(x));
    const z = x.map((v) => sub(big(v), m));
    const e = z.map(exp);
    const rest = e.filter((_, i) => i !== at).reduce(add, { n: 0n, k: 0 });
    const s = add({ n: 1n, k: 0 }, rest);
    const logs = log1p(rest);
    return {
      p: e.map((v) => div(v, s)),
      logp: z.map((v) => sub(v, logs)),
      complement: e.map((v, i) => div(i === at ? rest : sub(s, v), s)),
      lse: add(m, logs),
    };
  }

  /** The exponent of the ulp of an exact value in a format. */
  const lastBit = (v, f) => Math.max(v.n ? top(v) : f.emin, f.emin) - f.precision + 1;

  /** The exact value, rounded to a format. */
  function nearest(v, f = formats.fp64) {
    const size = v.n < 0n ? -v.n : v.n;
    const drop = lastBit(v, f) - v.k;
    if (drop > bits(size) + 1) return 0;
    let units = move(size, -drop);
    const left = size - move(units, drop);
    const half = drop > 0 ? move(1n, drop - 1) : 1n;
    if (left > half || (left === half && units & 1n)) units += 1n;
    let y = Number(units) * 2 ** (drop + v.k);
    if (y > f.largest) y = f.hasInfinity ? Infinity : NaN;
    return v.n < 0n ? -y : y;
  }

  /** |computed - exact|, in the unit 2**k. */
  function error(computed, v, k = 0) {
    if (!Number.isFinite(computed)) return Math.abs(computed);
    const d = sub(big(computed), v);
    return Math.abs(nearest({ n: d.n, k: d.k - k }));
  }
  const ulpError = (computed, v, f) => error(computed, v, lastBit(v, f));

  // Numbers as text

  function layout(negative, digits, e) {
    const d = digits.replace(/0+$/, "") || "0";
    const point = (s, i) => (i < s.length ? `${s.slice(0, i)}.${s.slice(i)}` : s.padEnd(i, "0"));
    let text = point(d, 1) + `e${e}`;
    if (e >= 0 && e < Math.max(digits.length, 5)) text = point(d, e + 1);
    if (e < 0 && e > -5) text = `0.${"0".repeat(-e - 1)}${d}`;
    return (negative ? "−" : "") + text.replace("-", "−");
  }

  /** A number with at most so many significant digits. */
  function show(x, digits = 5) {
    if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "−inf";
    const [d, e] = Math.abs(x).toExponential(digits - 1).split("e");
    return layout(x < 0, d.replace(".", ""), Number(e));
  }
  /** An exact value, also beyond the range of fp64. */
  function showExact(v, digits = 5) {
    if (v.n === 0n) return "0";
    const size = v.n < 0n ? -v.n : v.n;
    for (let e = Math.floor((top(v) + 1) * Math.log10(2)); ; e -= 1) {
      const tens = digits - 1 - e;
      const a = move(size * 10n ** BigInt(Math.max(tens, 0)), Math.max(v.k, 0));
      const b = move(10n ** BigInt(Math.max(-tens, 0)), Math.max(-v.k, 0));
      const text = String((2n * a + b) / (2n * b));
      if (text.length >= digits) return layout(v.n < 0n, text.slice(0, digits), e + text.length - digits);
    }
  }

  /** An exact probability; one that would be written as 1 is written as 1 minus the others. */
  function showProbability(p, complement, digits = 5) {
    const text = showExact(p, digits);
    return text === "1" && complement.n !== 0n ? `1 − ${showExact(complement, digits)}` : text;
  }

  // Parts of a drawing

  const text = (x, y, words, anchor = "middle", more = "") =>
    `<text x="${x}" y="${y}" fill="currentColor" text-anchor="${anchor}" ${more.includes("halo") ? "" : `stroke="none"`} ${more}>${words}</text>`;
  const path = (d, role = "", more = role && `stroke-width="2"`) => `<path class="${role}" d="${d}" stroke="currentColor" ${more}/>`;
  const box = (x, y, width, height, role = "", more = `fill="currentColor"`) =>
    `<rect class="${role}" x="${x}" y="${y}" width="${width}" height="${Math.max(0, height)}" ${more}/>`;
  /** A place to drag something by, large enough for a finger. */
  const handle = (x, y, name, width = 36, height = 36) =>
    box(x - width / 2, y - height / 2, width, height, "", `data-drag="${name}" fill="transparent" stroke="none"`);
  const between = (low, v, high) => Math.max(low, Math.min(v, high));

  // The element

  let count = 0;

  /** An element whose template() makes the controls and whose update() shows what follows. */
  class Explorable extends HTMLElement {
    connectedCallback() {
      if (this.form) return;
      count += 1;
      this.uid = `explore-${count}`;
      this.choices = [];
      this.form = document.createElement("form");
      this.form.autocomplete = "off";
      this.form.innerHTML = this.template();
      this.form.addEventListener("submit", (event) => event.preventDefault());
      this.form.addEventListener("input", (event) => this.changed(event.target));
      this.form.addEventListener("click", (event) => {
        const { choice, go } = event.target.dataset;
        if (choice) this.set(this.choices[choice]);
        if (go) this[go]();
      });
      this.form.addEventListener("reset", () => setTimeout(() => this.update()));
      for (const kind of ["input", "click", "reset"]) this.form.addEventListener(kind, () => this.keep());
      this.form.addEventListener("pointerdown", (event) => this.grab(event));
      matchMedia("print").addEventListener("change", ({ matches }) => this.paper(matches));
      this.append(this.form);
      this.classList.add("ready");
      this.update();
      this.first = this.state();
      this.place = `#${this.closest("[id]")?.id ?? ""}`;
      if (location.hash === this.place) this.recall(new URLSearchParams(location.search));
    }

    // What is kept: in the address, and on paper

    /** What the controls say, as {name: text}. */
    state() {
      const controls = [...this.form.querySelectorAll("[name]:is(input, select)")];
      return Object.fromEntries(controls.filter((c) => !c.name.endsWith("-slider"))
        .map((c) => [c.name, c.type === "checkbox" ? String(Number(c.checked)) : c.value]));
    }
    /** Go to the state in an address, but for what a control cannot be. */
    recall(address) {
      const state = [...address].filter(([name, value]) => {
        if (!(name in this.first)) return false;
        const control = this.control(name);
        const before = control.value;
        control.value = value;
        const { valid, rangeOverflow } = control.validity;
        const fits = control.value === value && (valid || (name === "step" && rangeOverflow)); // its end may move
        control.value = before;
        return fits;
      });
      if (state.length) this.set(Object.fromEntries(state));
    }
    /** When nothing has changed for a while, let the address lead to this state. */
    keep() {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => {
        if (this.timer) return this.keep();
        const state = Object.entries(this.state()).filter(([name, value]) => value !== this.first[name]);
        const query = String(new URLSearchParams(state));
        if (query || location.search) history.replaceState(null, "", location.pathname + (query && `?${query}`) + this.place);
      }, 400);
    }
    /** On paper: what the reader has chosen, or else a state whose picture says something. */
    paper(on) {
      if (on) {
        this.screen = this.state();
        const chosen = Object.entries(this.first).some(([name, value]) => this.screen[name] !== value);
        if (!chosen) this.set(this.picture ?? {});
      } else this.set(this.screen);
    }

    // A mark with data-drag="name" can be dragged: drag(name, x, y) says what its place means

    grab(event) {
      const mark = event.target.closest("[data-drag]");
      if (!mark) return;
      const svg = mark.closest("svg"); // it stays, what is in it is drawn anew
      const { drag } = mark.dataset;
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      svg.onpointermove = ({ clientX, clientY }) => {
        const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(svg.getScreenCTM().inverse());
        this.set(this.drag(drag, x, y));
        this.keep();
      };
      svg.onlostpointercapture = () => {
        svg.onpointermove = null;
      };
    }

    /** Keep slider and number equal, and show what follows. */
    changed(input) {
      const { twin } = input.dataset;
      if (twin && input.validity.valid) this.control(twin).value = input.value;
      const wrong = this.form.querySelector("input:invalid");
      if (wrong) {
        const { labels, step, min, max } = wrong;
        const name = labels[0]?.textContent ?? wrong.ariaLabel;
        this.say(`“${name}” must be a ${step === "any" ? "" : "whole "}number ` +
          `from ${show(Number(min))} to ${show(Number(max))}. The table has not changed.`);
      } else this.update();
    }
    control(name) {
      return this.form.elements[name];
    }
    number(name) {
      return Number(this.control(name).value);
    }
    set(values) {
      for (const [name, value] of Object.entries(values)) {
        const input = this.control(name);
        if (input.type === "checkbox") input.checked = Number(value);
        else input.value = value;
        if (input.dataset.twin) this.control(input.dataset.twin).value = value;
      }
      this.update();
    }

    // Parts of a template

    /** A number and, where a step is given, a slider beside it. What is typed may be finer than the
        slider's step and, where a limit is given, beyond its ends. */
    range(name, label, { min, max, step, value, limit, fine = "any" }) {
      const id = `${this.uid}-${name}`;
      const [low, high] = limit ? [-limit, limit] : [min, max];
      const twin = step ? `data-twin="${name}-slider"` : "";
      const slider = `<input type="range" name="${name}-slider" data-twin="${name}" value="${value}"
          min="${min}" max="${max}" step="${step}" aria-labelledby="${id}-label">`;
      return `<div class="pair"><label id="${id}-label" for="${id}">${label}</label>
        <input type="number" id="${id}" name="${name}" ${twin} value="${value}"
          min="${low}" max="${high}" step="${fine}" required>${step ? slider : ""}</div>`;
    }
    /** A choice among the entries {value: text}. */
    select(name, label, entries, value) {
      const id = `${this.uid}-${name}`;
      const options = Object.entries(entries).map(
        ([key, text]) => `<option value="${key}"${key === value ? " selected" : ""}>${text}</option>`
      );
      return `<div class="pair"><label for="${id}">${label}</label>
        <select id="${id}" name="${name}">${options.join("")}</select></div>`;
    }
    /** Buttons {text: values} that set the controls, and one that sets them back. */
    examples(entries) {
      this.choices = Object.values(entries);
      const buttons = Object.keys(entries).map(
        (text, i) => `<button type="button" data-choice="${i}">${text}</button>`
      );
      buttons.push(`<button type="reset">Reset</button>`);
      return `<div class="examples" role="group" aria-label="Examples">${buttons.join("")}</div>`;
    }
    /** A table without rows. */
    table(caption, heads) {
      const cells = heads.map((text) => `<th scope="col">${text}</th>`);
      return `<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
        <table><caption>${caption}</caption><thead><tr>${cells.join("")}</tr></thead>
        <tbody></tbody></table></div>`;
    }
    /** The sentence that is read aloud when it changes, in the room that so many letters need. */
    sentence(letters) {
      return `<div class="said"><p class="sentence" role="status"></p>
        <p aria-hidden="true">${"a number 12 ".repeat(letters / 12)}</p></div>`;
    }
    /** What is shown on demand. */
    folded(words, html) {
      return `<details><summary>${words}</summary>${html}</details>`;
    }
    /** A drawing, which is printed. */
    drawing(width, height, more = "") {
      return `<svg class="picture" viewBox="0 0 ${width} ${height}" font-size="11" fill="none"
        stroke="currentColor" aria-hidden="true" ${more}></svg>`;
    }

    // Parts of an update

    say(text) {
      this.form.querySelector(".sentence").textContent = text;
    }
    /** Fill a table; the first cell of a row is its head. A cell is a text, or one with a bar:
        {text, bar: between 0 and 1, role: "naive", "stable", "alternative" or "roundoff"}. */
    rows(rows, table = 0) {
      const html = (cell) =>
        cell.bar === undefined ? cell.text ?? cell
          : `${cell.text}<span class="bar ${cell.role}" style="--part:${cell.bar.toFixed(3)}"></span>`;
      this.form.querySelectorAll("tbody")[table].innerHTML = rows
        .map(([head, ...cells]) =>
          `<tr><th scope="row">${head}</th>${cells.map((c) => `<td>${html(c)}</td>`).join("")}</tr>`)
        .join("");
    }
  }

  /** An explorable that goes on step by step. begin(...) gets the values of its `parts`, works all
      steps out and returns their number; draw(step) shows one. */
  class Player extends Explorable {
    pace = 250; // of playing, in milliseconds

    /** The buttons, and the number of steps. */
    player(steps, play = "Play") {
      const buttons = Object.entries({ Step: "next", [play]: "play", All: "rest", "From the start": "again" })
        .map(([words, go]) => `<button type="button" data-go="${go}">${words}</button>`);
      this.begins = play;
      return `<div class="examples" role="group" aria-label="Player">${buttons.join("")}</div>
        ${this.range("step", "Steps", { min: 0, max: steps, step: 1, value: 0, fine: 1 })}`;
    }
    next() {
      this.to(this.number("step") + 1);
    }
    rest() {
      this.to(this.steps);
    }
    again() {
      this.to(0);
    }
    /** Faster and faster, or to the end at once where nothing may move. */
    play() {
      if (this.timer) return this.update();
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.rest();
      if (this.number("step") === this.steps) this.again();
      this.timer = setInterval(() => {
        const step = Math.ceil(this.number("step") * 1.2) || 1;
        this.to(step, step < this.steps);
      }, this.pace);
      return this.playing(true);
    }
    to(step, playing) {
      this.put(Math.min(step, this.steps));
      this.update(playing);
    }
    put(value, of = "value") {
      for (const name of ["step", "step-slider"]) this.control(name)[of] = value;
    }
    /** While it plays, nothing is read aloud. */
    playing(on) {
      if (!on) this.timer = clearInterval(this.timer);
      this.form.querySelector("[data-go=play]").textContent = on ? "Pause" : this.begins;
      this.form.querySelector(".sentence").ariaLive = on ? "off" : "polite";
    }

    changed(input) {
      if (this.parts.includes(input.name)) this.put(0);
      super.changed(input);
    }
    update(playing = false) {
      if (!playing) this.playing(false);
      const asked = this.parts.map((name) => this.control(name).value);
      if (asked.join() !== this.asked) {
        this.asked = asked.join();
        this.steps = this.begin(...asked);
        this.put(this.steps, "max");
      }
      if (this.number("step") > this.steps) this.put(this.steps);
      this.draw(this.number("step"));
    }
  }

  return {
    formats, ulp, round, ops, Explorable, Player, show, showExact, showProbability,
    text, path, box, handle, between,
    exact, negative, nearest, error, ulpError, exactly: { big, add, sub, exp },
    softmaxNaive, softmaxShifted, logsumexpNaive, logsumexpShifted, logsumexpLog1p,
    logSoftmaxNaive, logSoftmaxTwoStep, logSoftmaxEpsilon, logSoftmaxClamped,
    logSoftmaxFromLogsumexp, logSoftmaxShifted, logSoftmaxLog1p,
    crossEntropy, crossEntropyGradient,
  };
})();
