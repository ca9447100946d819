/* <explore-one_pass>: a row is read in blocks, and a pair (m, s) remembers its exponentials, as in
   scale/one_pass.py of the package. All numbers are those of fp32. */
(() => {
  "use strict";
  const { formats, round, ops, Player, show, text: label, path, box, handle, between } = StableSoftmax;
  const f = formats.fp32;
  const { add, sub, mul, exp } = ops(f);
  const long = (x) => show(x, 8);
  const some = (count) => count.toLocaleString("en-US");
  const numbers = (count) => (count === 1 ? "1 number" : `${some(count)} numbers`);
  const most = (list) => list.reduce((a, b) => Math.max(a, b));

  const ROWS = { // the number at i of n, of a row from 0 to a height
    rising: (i, n, height) => (height * i) / (n - 1 || 1),
    falling: (i, n, height) => ROWS.rising(n - 1 - i, n, height),
    shuffled: (i, n, height) => ROWS.rising(i, n, height), // and then shuffled
    late: (i, n, height) => (i === n - 1 ? height : 0),
  };
  function row(kind, n, height) {
    const x = Array.from({ length: n }, (_, i) => round(ROWS[kind](i, n, height), f));
    if (kind === "shuffled") {
      for (let i = n - 1, seed = 1; i > 0; i -= 1) {
        seed = (seed * 1664525 + 1013904223) % 2 ** 32;
        const j = Math.floor((seed / 2 ** 32) * (i + 1));
        [x[i], x[j]] = [x[j], x[i]];
      }
    }
    return x;
  }

  /** The sum of the numbers in the order of NumPy: eight sums side by side, long rows in halves. */
  function sum(v) {
    const n = v.length;
    if (n > 128) {
      const half = (n >> 1) & ~7;
      return add(sum(v.slice(0, half)), sum(v.slice(half)));
    }
    const whole = n & ~7;
    let total = 0;
    if (whole) {
      const s = v.slice(0, 8);
      for (let i = 8; i < whole; i += 1) s[i & 7] = add(s[i & 7], v[i]);
      total = add(add(add(s[0], s[1]), add(s[2], s[3])), add(add(s[4], s[5]), add(s[6], s[7])));
    }
    return v.slice(whole).reduce(add, total);
  }

  /** What is subtracted from the logits. The guard: 0 in place of an infinite m. */
  const shift = (m, guard) => (guard && !Number.isFinite(m) ? 0 : m);
  function scaledSum(x, guard) {
    const m = most(x);
    return { m, s: sum(x.map((v) => exp(sub(v, shift(m, guard))))) };
  }
  /** The merged pair, and both parts of its sum. */
  function merge(one, other, lead, guard) {
    const m = other.m > add(one.m, lead) ? other.m : one.m;
    const [factor, otherFactor] = [one, other].map((part) => exp(sub(part.m, shift(m, guard))));
    const [old, fresh] = [mul(one.s, factor), mul(other.s, otherFactor)];
    return { m, s: add(old, fresh), factor, old, fresh, other };
  }

  /** The sum of exp(x - m) over the first numbers, in fp64. */
  function exactSum(x, count, m) {
    let s = 0;
    for (let i = 0; i < count; i += 1) s += Math.exp(x[i] - m);
    return s;
  }

  const text = (x, y, words, anchor = "start") => label(x, y, words, anchor);
  const bar = (x, y, width, role, more) => box(x, y, width, 9, role, more);
  const DASHED = `stroke-dasharray="4 2"`;

  class OnePass extends Player {
    parts = ["row", "count", "height", "block", "lead", "masked", "guard"];
    picture = { count: 4096, height: 4.095, step: 4096 };

    template() {
      const usual = { row: "rising", count: 4096, height: 4.095, block: 1, lead: 0, masked: 0, guard: "yes", step: 0 };
      const late = { ...usual, row: "late", count: 64, height: 10 };
      const masked = { ...usual, row: "shuffled", count: 32, height: 8, block: 8, masked: 8 };
      return `${this.examples({
        "rising row": usual,
        "lead of 8": { ...usual, lead: 8 },
        "blocks of 64": { ...usual, block: 64 },
        "falling row": { ...usual, row: "falling" },
        "one late logit": late,
        "masked, no guard": { ...masked, guard: "no" },
        "masked, guard": masked,
      })}
      <div class="columns">
        ${this.select("row", "Row", {
          rising: "rising", falling: "falling", shuffled: "shuffled", late: "one late",
        }, "rising")}
        ${this.range("count", "Numbers", { min: 1, max: 4096, value: 16, fine: 1 })}
        ${this.range("height", "Largest number", { min: 0, max: 100, value: 8 })}
        ${this.range("block", "Block size", { min: 1, max: 4096, value: 1, fine: 1 })}
        ${this.range("masked", "Masked first", { min: 0, max: 4096, value: 0, fine: 1 })}
        ${this.select("guard", "Guard", { yes: "yes", no: "no" }, "yes")}
      </div>
      ${this.range("lead", "Lead to rescale", { min: 0, max: 100, step: 1, value: 0 })}
      ${this.player(16)}
      ${this.drawing(340, 252)}
      ${this.sentence(280)}
      ${this.table("The pair, and how far s is from the exact sum", ["read", "m", "s", "error (u)", "exact s", "rescaled"])}`;
    }

    begin(kind, count, height, block, lead, masked, guard) {
      const n = Number(count);
      const size = Number(block);
      const x = row(kind, n, Number(height)).fill(-Infinity, 0, Number(masked));
      const steps = Math.ceil(n / size);
      const guarded = guard === "yes";
      const states = [{ m: -Infinity, s: 0, rescaled: 0 }];
      for (let step = 1; step <= steps; step += 1) {
        const before = states[step - 1];
        const other = scaledSum(x.slice((step - 1) * size, step * size), guarded);
        const now = step > 1 ? merge(before, other, round(Number(lead), f), guarded)
          : { ...other, factor: 1, old: 0, fresh: other.s, other };
        states.push({ ...now, rescaled: before.rescaled + (before.s > 0 && now.m > before.m) });
      }
      const read = (step) => Math.min(step * size, n);
      Object.assign(this, { x, n, size, lead: Number(lead), states, read, errors: [] });
      return steps;
    }

    exact(step) {
      const { m } = this.states[step];
      return m === -Infinity ? 0 : exactSum(this.x, this.read(step), m);
    }
    /** The error of s in units of u. */
    error(step) {
      const { s } = this.states[step];
      const exact = this.exact(step);
      return (this.errors[step] ??= s === exact ? 0 : (Math.abs(s - exact) / exact) * 2 ** f.precision);
    }

    draw(step) {
      const { m, s, rescaled } = this.states[step];
      const [exact, error] = [this.exact(step), this.error(step)];
      const { role } = this.line();
      const wrong = Number.isFinite(error) ? { bar: Math.min(1, Math.log2(1 + error) / f.precision), role } : { bar: 1, role: "naive" };
      this.rows([[
        some(this.read(step)), long(m), long(s), { text: show(error, 3), ...wrong }, long(exact), some(rescaled),
      ]]);
      this.say(this.words(step));
      this.form.querySelector("svg").innerHTML = this.pictures(step);
    }

    /** The look of the error: as in the figures of the chapter. */
    line() {
      if (this.size > 1) return { role: "stable", more: "" };
      return this.lead ? { role: "alternative", more: `stroke-dasharray="6 2 1 2"` } : { role: "naive", more: DASHED };
    }

    /** What the last step did. */
    words(step) {
      const { states, lead, read, n, size, steps } = this;
      if (!step) return "Nothing has been read: m is −∞ and s is 0. Press “Step” to read on.";
      const [before, now] = states.slice(step - 1, step + 1);
      const { m, s, factor, old, fresh, other } = now;
      const count = read(step) - read(step - 1);
      const said = [];
      const come = size === 1 ? `The number ${other.m === -Infinity ? "−∞" : show(other.m)}`
        : `A block of ${numbers(count)}${other.m === -Infinity ? "" : `, the largest of them ${show(other.m)},`}`;
      const ahead = `is ahead of m by ${show(other.m - before.m)}`;
      if (Number.isNaN(before.s)) said.push("s is nan for ever, since each new sum contains the old one.");
      else if (Number.isNaN(s)) said.push("All that was read is masked, so m is −∞. And −∞ − (−∞) is nan.");
      else if (other.m === -Infinity) said.push(`${come} is masked, and adds 0.`);
      else if (!before.s) said.push(`${come} sets m, and s is ${show(s)}.`);
      else if (m > before.m) {
        said.push(`${come} ${ahead}: m moves, the old sum shrinks by the factor ${show(factor)} to ${show(old)}, and ${show(fresh)} is added.`);
      } else if (other.m > before.m) {
        said.push(`${come} ${ahead}, not by more than ${show(lead)}: m remains, nothing shrinks, and ${show(fresh)} is added.`);
      } else said.push(`${come} is not ahead of m: nothing shrinks, and ${show(fresh)} is added.`);
      if (s === Infinity) said.push(`That is beyond fp32, which ends at ${show(f.largest)}: the lead is too large.`);
      if (step === steps) {
        said.push(`The end: m + log s is ${long(add(m, ops(f).log(s)))}, and the exact value is ${long(m + Math.log(this.exact(step)))}. ` +
          (Number.isFinite(this.error(step)) ? `The error of s is ${show(this.error(step), 3)} u.` : ""));
      }
      return said.join(" ").trim();
    }

    /** The end of what has been read can be dragged. */
    drag(_, x) {
      return { step: between(0, Math.round(((x - 8) / 324) * (this.n / this.size)), this.steps) };
    }

    /** The row with m, the sum before and after the step, and the error up to now. */
    pictures(step) {
      const { x, n, states, read, size } = this;
      const high = most([...x.filter(Number.isFinite), 0]) || 1;
      const X = (i) => 8 + (324 * i) / n;
      const Y = (v) => (v === -Infinity ? 106 : 94 - (74 * v) / high);
      const [from, to] = [read(Math.max(step - 1, 0)), read(step)];
      const every = Math.ceil(n / 324);
      const wide = Math.max(1, X(1) - 9);
      const marks = (first, last) => x.slice(first, last)
        .map((v, i) => ((first + i) % every ? "" : `M${X(first + i).toFixed(1)} ${Y(v).toFixed(1)}h${wide.toFixed(1)}`)).join("");
      const drawn = Math.min(step, 200);
      const levels = Array.from({ length: drawn }, (_, i) => Math.round(((i + 1) * step) / drawn))
        .filter((k) => Number.isFinite(states[k].m))
        .map((k, i) => `${i ? "V" : `M${X(read(k - 1))} `}${Y(states[k].m).toFixed(1)}H${X(read(k)).toFixed(1)}`);
      const { m, s, factor, old, fresh } = states[step];
      const masked = x.lastIndexOf(-Infinity) + 1;
      let svg = text(8, 11, `logits up to ${show(high)}`) + text(332, 11, `line: m = ${show(m)}`, "end") +
        (step && to - from < n ? `<rect class="roundoff" x="${X(from)}" y="16" width="${Math.max(1, X(to) - X(from))}" height="94" fill="currentColor" fill-opacity="0.3" stroke="none"/>` : "") +
        path(marks(to, n), "roundoff") + path(marks(0, to), "", `stroke-width="2"`) +
        path(levels.join(""), "stable") +
        path(`M${X(to)} 108l-5 8h10z`, "", `fill="currentColor"`) + handle(X(to), 70, "step", 32, 96) +
        (masked ? text(Math.min(X(masked) + 4, 270), 109, "masked: −∞") : "");

      // The sums
      const before = step ? states[step - 1].s : 0;
      const unit = 324 / Math.max(before, s, 1);
      if (!Number.isFinite(unit) || !unit) svg += text(170, 150, `s = ${show(s)}`, "middle");
      else {
        svg += text(8, 128, `before: s = ${show(before)}`) + bar(8, 132, before * unit, "roundoff");
        if (step) {
          svg += text(8, 154, `after: ${show(before)} × ${show(factor)} + ${show(fresh)} = ${show(s)}`) +
            bar(8, 158, old * unit, "stable") + bar(8 + old * unit, 158, fresh * unit, "alternative", `fill="none"`);
        }
      }

      // The errors, at places that do not change while it plays
      const stride = Math.ceil(this.steps / 80);
      const at = [...Array.from({ length: Math.ceil(step / stride) }, (_, i) => i * stride), step]
        .filter((k) => k && Number.isFinite(this.error(k)));
      const top = most([1, ...at.map((k) => this.error(k))]);
      const { role, more } = this.line();
      svg += path("M8 186V240H332") + text(12, 184, `error of s, up to ${show(top, 3)} u`) + text(332, 251, numbers(n), "end");
      if (at.length > 1) {
        const points = at.map((k) => `${X(read(k)).toFixed(1)} ${(240 - (50 * this.error(k)) / top).toFixed(1)}`);
        svg += path(`M${points.join("L")}`, role, `stroke-width="2" ${more}`);
      }
      if (Number.isNaN(s)) svg += text(170, 215, "nan", "middle");
      return svg;
    }
  }
  customElements.define("explore-one_pass", OnePass);
})();
