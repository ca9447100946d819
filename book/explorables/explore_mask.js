/* <explore-mask>: the logits of three samples, masked, divided by a temperature, and normalized. */
(() => {
  "use strict";
  const { formats, ulp, round, ops, Explorable, show, softmaxShifted } = StableSoftmax;
  // The label of a sample is the class of its own number.
  const LOGITS = [[2, 1, 0.1, 0], [1, 3, 2, -1], [0, 1, 2, 3]];
  const CLASSES = LOGITS[0].map((_, c) => `class ${c + 1}`);
  const turn = (table) => table[0].map((_, c) => table.map((row) => row[c]));
  const change = (table, f) => table.map((row, r) => row.map((v, c) => f(v, r, c)));

  /** The masked softmax functions of special_values.py, for one row and where its classes count. */
  const softmax = {
    early: (x, on, _, f) => // in fp32, and rounded once
      softmax.fill(x, on, -Infinity, formats.fp32).map((p) => (on.includes(true) ? round(p, f) : 0)),
    fill: (x, on, fill, f) => softmaxShifted(x.map((v, i) => (on[i] ? v : fill)), f),
    add: (x, on, fill, f) => softmaxShifted(x.map((v, i) => ops(f).add(v, on[i] ? 0 : fill)), f),
    late: (...all) => softmax.add(...all).map((p) => (all[1].includes(true) ? p : 0)),
  };
  /** From the gradient of probabilities to that of their logits: p (g - the mean of g). */
  const back = (p, g, f) => {
    const { sum, mul, sub } = ops(f);
    const mean = sum(p.map((v, i) => mul(v, g[i])));
    return p.map((v, i) => mul(v, sub(g[i], mean)));
  };

  class Mask extends Explorable {
    picture = { axis: 0 };

    template() {
      const usual = { axis: -1, times: 1, how: "early", fill: "-Infinity", format: "fp32", view: "p", T: 1, offset: 0 };
      change(LOGITS, (v, r, c) => Object.assign(usual, { [`x${r}${c}`]: v, [`on${r}${c}`]: true }));
      const padded = { ...usual, on03: false, on13: false };
      const empty = { ...usual, on20: false, on21: false, on22: false, on23: false };
      return `${this.examples({
        "wrong axis": { ...usual, axis: 0 },
        "softmax twice": { ...usual, times: 2, x10: -40, x11: 40 },
        "a row without classes": { ...empty, how: "fill", fill: "-1e4" },
        "finite fill in fp16": { ...padded, how: "fill", fill: "-1e4", format: "fp16", offset: -20000 },
        "offset 2000": { ...usual, offset: 2000, format: "bf16" },
        "nan comes back": { ...empty, how: "late", view: "g" },
      })}
      <div class="columns">
        ${this.select("axis", "Axis", { "-1": "−1, along a row", 0: "0, along a column" }, "-1")}
        ${this.select("times", "Softmax", { 1: "once", 2: "twice" }, "1")}
        ${this.select("how", "Mask", {
          early: "where, before", fill: "replace by fill", add: "add fill", late: "where, after",
        }, "early")}
        ${this.select("fill", "Fill", {
          "-1e4": "−1e4", "-1e9": "−1e9", least: "smallest finite", "-Infinity": "−∞",
        }, "-Infinity")}
        ${this.select("format", "Format", { fp32: "fp32", fp16: "fp16", bf16: "bf16" }, "fp32")}
        ${this.select("view", "Show", { p: "probabilities", g: "gradient" }, "p")}
      </div>
      ${this.range("T", "Temperature", { min: 0.01, max: 10, step: 0.01, value: 1 })}
      ${this.range("offset", "Common offset", { min: -20000, max: 20000, step: 100, value: 0, limit: 1e6 })}
      ${this.sentence(430)}
      ${this.table("Each row is a sample with its logits, the label in bold. Untick a class to mask it", ["row", ...CLASSES, "sum"])}
      ${this.table("What each row gets", ["row", "argmax", "loss", "floor"])}`;
    }

    /** The table with its inputs, which stay. */
    grid() {
      const cell = (v, r, c) => {
        const name = `${CLASSES[c]} of row ${r + 1}`;
        return `<input type="number" name="x${r}${c}" value="${v}" step="any" min="-1e6" max="1e6" required
          aria-label="Logit, ${name}"><div><input type="checkbox" name="on${r}${c}" checked
          aria-label="Takes part, ${name}"><span></span></div><span></span>`;
      };
      this.rows([...change(LOGITS, cell).map((row, r) => [r + 1, ...row, ""]), ["sum", "", "", "", "", ""]]);
    }

    update() {
      if (!this.control("x00")) this.grid();
      const [axis, times, how, filled, format, view] =
        ["axis", "times", "how", "fill", "format", "view"].map((name) => this.control(name).value);
      const f = formats[format];
      // NumPy adds the rows of a table in its format, also those of fp16.
      const g = axis === "0" ? { ...f, name: "" } : f;
      const lines = axis === "0" ? turn : (table) => table;
      const fill = round(filled === "least" ? -f.largest : Number(filled), f);
      const [T, offset] = [round(this.number("T"), f), this.number("offset")];

      const typed = change(LOGITS, (_, r, c) => this.number(`x${r}${c}`) + offset);
      const x = change(typed, (v) => round(v, f));
      const z = lines(change(x, (v) => ops(f).div(v, T)));
      const on = lines(change(x, (_, r, c) => this.control(`on${r}${c}`).checked));
      const once = z.map((row, i) => softmax[how](row, on[i], fill, g));
      const p = lines(times === "2" ? once.map((row) => softmaxShifted(row, g)) : once);

      // The gradient of the labels' probabilities, from the last operation back
      let slope = lines(change(x, (_, r, c) => Number(r === c)));
      if (times === "2") slope = lines(p).map((row, i) => back(row, slope[i], g));
      if (how === "late") slope = change(slope, (v, i) => (on[i].includes(true) ? v : 0));
      slope = z.map((row, i) => back(how === "late" ? softmax.add(row, on[i], fill, g) : once[i], slope[i], g));
      if (/early|fill/.test(how)) slope = change(slope, (v, i, j) => (on[i][j] ? v : 0));
      slope = lines(change(slope, (v) => ops(f).div(v, T)));

      Object.assign(this, { p, slope });
      const shown = view === "p" ? p : slope;
      const add = (row) => row.reduce((a, b) => a + b);
      const number = (v, digits = view === "p" ? 3 : 2) => (Number.isNaN(v) ? `<b class="bad">nan</b>` : show(v, digits));
      const { rows } = this.form.querySelector("tbody");
      const counts = lines(on);
      change(shown, (v, r, c) => {
        const [, value, line] = rows[r].cells[c + 1].children;
        value.lastChild.innerHTML = r === c ? `<b>${number(v)}</b>` : number(v);
        line.className = `bar ${axis === "0" || times === "2" || !counts[r][c] ? "naive" : "stable"}`;
        line.style = `--part:${Math.min(1, Math.abs(v) || 0)}`;
      });
      shown.forEach((row, r) => { rows[r].cells[5].innerHTML = number(add(row)); });
      turn(shown).forEach((column, c) => { rows[3].cells[c + 1].innerHTML = number(add(column)); });

      const floor = times === "2" ? Math.log1p((z[0].length - 1) / Math.E) : 0;
      const best = (row) => (row.some(Number.isNaN) ? "none" : row.indexOf(Math.max(...row)) + 1);
      this.rows(p.map((row, r) => [r + 1, best(row), number(-ops(f).log(row[r]), 4), show(floor, 4)]), 1);
      this.say(this.words({ f, fill, how, axis, times, view, typed, x, z, on, once, p, slope, floor }));
    }

    words({ f, fill, how, axis, times, view, typed, x, z, on, once, p, slope, floor }) {
      const line = axis === "0" ? "column" : "row";
      const broken = (table) => table.flat().some(Number.isNaN);
      const said = [];
      const coarse = x.flat().find((v, i) => Math.abs(v - typed.flat()[i]) > 0.01);
      if (!z.flat().every(Number.isFinite)) said.push(`A logit has left the range of ${f.name}: it is ${show(z.flat().find((v) => !Number.isFinite(v)))}.`);
      else if (coarse) said.push(`Near ${show(coarse)} the numbers of ${f.name} are ${show(ulp(coarse, f))} apart, and the logits have been rounded to them.`);
      if (axis === "0") said.push("Wrong axis: each column sums to 1, so the samples compete for a class, and the losses look ordinary.");
      const empty = on.flatMap((row, i) => (row.includes(true) ? [] : [i]));
      if (empty.length) {
        const result = once[empty[0]];
        said.push(`No entry of ${line}${empty.length > 1 ? "s" : ""} ${empty.map((i) => i + 1).join(" and ")} takes part. ` + (
          broken([result]) ? "The maximum is −∞, and −∞ − (−∞) is nan."
            : !Math.max(...result) ? `The result is 0, ${how === "late" ? "put in place of what was computed" : "chosen before anything is computed"}.`
              : how === "fill" ? "The finite fill makes all logits equal, and the result looks like probabilities."
                : "The added fill is a common offset, and masks nothing."));
      }
      const leak = Math.max(...change(once, (v, i, j) => (on[i].includes(true) && !on[i][j] && v) || 0).flat());
      if (leak > 0) said.push(`A masked entry gets the probability ${show(leak, 3)}: the fill ${show(fill)} is not far enough below the logits that count.`);
      if (times === "2") said.push(`Twice: the second softmax sees differences of at most 1, and no loss is below its floor, ${show(floor, 4)}.`);
      if (p.some((row, r) => row[r] === 0)) said.push("A label has the probability 0, so its loss is infinite.");
      if (broken(slope) && !broken(p)) said.push("Every probability is a number, but the gradient is nan: the nan comes back through the branch not taken, since 0 · nan is nan.");
      else if (view === "g") said.push("The gradient is that of the sum of the labels' probabilities.");
      return said.join(" ") || "Right: each row sums to 1, and what is masked gets 0.";
    }
  }
  customElements.define("explore-mask", Mask);
})();
