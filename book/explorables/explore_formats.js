/* <explore-formats>: three exponentials and their sum, as columns under the largest number of a format. */
(() => {
  "use strict";
  const {
    formats, round, ops, Explorable, show, showExact, exact, nearest, error, ulpError,
    softmaxNaive, softmaxShifted, text, path, box, handle, between,
  } = StableSoftmax;
  const NAMES = ["x₁", "x₂", "x₃"];
  const ZONES = ["right", "gray zone", "zeros", "nan"];
  const TASKS = { // and whether the naive softmax does it
    "only zeros, without a nan, in fp16": ({ f, naive }) => f.name === "fp16" && naive.every((p) => p === 0),
    "a nan in fp32, where no exponential overflows":
      ({ f, e, naive }) => f.name === "fp32" && e.every(Number.isFinite) && naive.some(Number.isNaN),
    "a certain winner, p = 1, in fp64, where the exact p is below 0.9999":
      ({ f, naive, truth }) => f.name === "fp64" && naive.some((p, i) => p === 1 && nearest(truth.p[i]) < 0.9999),
  };
  const [TOP, CUT, FLOOR] = [30, 136, 254]; // of the wall; above the cut it is magnified

  /** Names as a phrase, a verb that fits, and the rest. */
  const phrase = (indices, one, many) => {
    const names = indices.map((i) => `exp(${NAMES[i]})`);
    const last = names.pop();
    return names.length ? `${names.join(", ")} and ${last} ${many}` : `${last} ${one}`;
  };
  const where = (values, test) => [0, 1, 2].filter((i) => test(values[i], i));

  /** The zone and what is to be said about it. */
  function zoneOf({ f, e, s, naive, shifted, truth }) {
    const ulps = (p) => {
      const most = Math.max(...p.map((v, i) => ulpError(v, truth.p[i], f)));
      return most < 0.1 ? "less than 0.1 ulp" : `up to ${show(most, 2)} ulp`;
    };
    const good = shifted.some(Number.isNaN)
      ? `The shifted softmax is nan as well: in ${f.name} even a difference of two logits can overflow.`
      : `The shifted softmax errs by ${ulps(shifted)}.`;
    const lost = where(e, (v) => !Number.isFinite(v));
    const zero = where(e, (v) => v === 0);
    const subnormal = where(e, (v) => v > 0 && v < f.smallestNormal);
    const missing = zero.filter((i) => nearest(truth.p[i], f) > 0);
    const percent = (part) => `${show(100 * part, 2)} %`;
    if (naive.some(Number.isNaN)) {
      let cause = "all exponentials underflow to 0, and 0 / 0 is nan.";
      if (lost.length && f.hasInfinity) cause = `${phrase(lost, "overflows", "overflow")} to inf, and inf / inf is nan.`;
      else if (lost.length) cause = `${phrase(lost, "overflows", "overflow")} to nan, since ${f.name} has no infinity.`;
      else if (s !== 0) cause = `the sum of the exponentials overflows to nan, since ${f.name} has no infinity.`;
      return [3, cause, good];
    }
    if (s === Infinity) {
      return [2, "every exponential is finite, but their sum overflows to inf, and a number divided by inf is 0. No nan gives it away.", good];
    }
    if (missing.length) {
      const share = missing.reduce((sum, i) => sum + nearest(truth.p[i]), 0);
      return [2, `${phrase(missing, "underflows", "underflow")} to 0, where the exact probability is not 0. The rest looks too certain, by ${percent(share)}.`, good];
    }
    if (subnormal.length && s < 1) {
      const wrong = where(e, (v) => v > 0).map((i) => error(naive[i], truth.p[i]) / nearest(truth.p[i]));
      return [1, `${phrase(subnormal, "is subnormal and has", "are subnormal and have")} lost digits. The naive softmax errs by ${ulps(naive)}, or ${percent(Math.max(...wrong))}.`, good];
    }
    const note = zero.length ? `${phrase(zero, "underflows", "underflow")} to 0, and so does the exact probability: that zero is right. The` : "the";
    return [0, `${note} naive softmax errs by ${ulps(naive)}.`, good];
  }

  class Formats extends Explorable {
    picture = { format: "fp32", x1: 88.7, x2: 88.7, x3: 88 };
    solved = new Set();

    template() {
      const options = Object.fromEntries(Object.values(formats).map((f) => [f.name, f.label]));
      const logits = (format, x1, x2, x3) => ({ format, x1, x2, x3, shift: 0 });
      const control = (i, value) =>
        this.range(`x${i}`, `Logit ${NAMES[i - 1]}`, { min: -1050, max: 1050, step: 1, value, limit: 99999 });
      return `${this.examples({
        "nan": logits("fp64", 1000, 1000, 100),
        "silent zeros": logits("fp32", 88.7, 88.7, 88),
        "gray zone": logits("fp32", -100, -101, -102),
        "false certainty": logits("fp32", -103, -104, -105),
        "right": logits("fp32", 80, 0.1, 0.3),
      })}
      <div class="bench">
        ${this.drawing(340, 312)}
        <div>
          ${this.select("format", "Format", options, "fp64")}
          ${control(1, 1000)} ${control(2, 1000)} ${control(3, 100)}
          <label><input type="checkbox" name="shift"> subtract the maximum</label>
        </div>
      </div>
      <p class="zones" aria-hidden="true">${ZONES.map((z) => `<span>${z}</span>`).join(" ")}</p>
      ${this.sentence(195)}
      <div><p>Drag the columns until the naive softmax returns</p>
        <ul>${Object.keys(TASKS).map((words) => `<li>${words}</li>`).join("")}</ul></div>
      ${this.folded("All numbers", this.table("Softmax of the three logits, to four digits", ["class", "x", "exp(x)", "naive", "shifted", "exact"]))}`;
    }

    update() {
      const f = formats[this.control("format").value];
      const typed = [1, 2, 3].map((i) => this.number(`x${i}`));
      const x = typed.map((v) => round(v, f));
      this.fit(f, typed);
      const finite = x.every(Number.isFinite);
      const e = x.map(ops(f).exp);
      const s = ops(f).sum(e);
      const naive = softmaxNaive(x, f);
      const shifted = softmaxShifted(x, f);
      const truth = finite && exact(x);
      const off = this.control("shift").checked;
      let zone = 3;
      if (!finite) this.say(`nan: a logit is itself beyond ${show(f.largest)}, the largest number of ${f.name}.`);
      else {
        const [found, cause, good] = zoneOf({ f, e, s, naive, shifted, truth });
        zone = off ? (shifted.some(Number.isNaN) ? 3 : 0) : found;
        if (off) this.say(`${zone ? "nan" : "Right"}: the largest exponential is 1, and the sum at most 3. ${good}`);
        else this.say(`${["Right", "Gray zone", "Zeros", "nan"][zone]}: ${cause} ${good}`);
        this.tick(off ? {} : { f, e, naive, truth });
      }
      this.form.querySelectorAll(".zones span").forEach((span, i) => span.classList.toggle("here", i === zone));
      const bar = (p, text, role) => (p > 0 ? { text, bar: p, role } : text);
      this.rows([
        ...x.map((v, i) => [
          NAMES[i], show(v), show(e[i], 4),
          bar(naive[i], show(naive[i], 4), "naive"),
          bar(shifted[i], show(shifted[i], 4), "stable"),
          finite ? bar(nearest(truth.p[i]), showExact(truth.p[i], 4), "roundoff") : "none",
        ]),
        ["sum", "", show(s, 4), show(ops(f).sum(naive), 4), show(ops(f).sum(shifted), 4), finite ? "1" : "none"],
      ]);
      const lse = finite ? nearest(truth.lse) : Math.max(...typed);
      this.seen = { f, typed, e, s, lse, naive, shifted, truth };
      this.slide(Number(off));
    }

    /** Let the sliders span the range of the format. What is beyond stands at the end. */
    fit(f, x) {
      const limit = Math.ceil(Math.max(f.overflowAbove, -f.zeroBelow) * 0.14) * 10;
      for (const i of [1, 2, 3]) {
        const slider = this.control(`x${i}-slider`);
        Object.assign(slider, { min: -limit, max: limit, step: limit > 500 ? 1 : 0.1 });
        slider.value = x[i - 1];
      }
    }

    tick(result) {
      Object.values(TASKS).forEach((done, i) => {
        if (result.f && done(result)) this.solved.add(i);
      });
      this.form.querySelectorAll("li").forEach((li, i) => li.classList.toggle("done", this.solved.has(i)));
    }

    /** Let the columns go down by the maximum, or up again, unless nothing may move. */
    slide(end) {
      const start = this.down ?? end;
      const begin = performance.now();
      const still = matchMedia("(prefers-reduced-motion: reduce), print").matches;
      cancelAnimationFrame(this.frame);
      const next = () => {
        const part = still ? 1 : Math.min(1, (performance.now() - begin) / 400);
        this.down = start + (end - start) * part;
        this.wall(end);
        if (this.down !== end) this.frame = requestAnimationFrame(next);
      };
      next();
    }

    /** The height of a logit's column; above the cut, a few units below the ceiling, it is magnified. */
    scale(f) {
      const [high, cut, low] = [f.overflowAbove + 2, f.overflowAbove - 3, f.zeroBelow];
      const upper = (CUT - 4 - TOP) / (high - cut);
      const lower = (FLOOR - CUT - 4) / (cut - low);
      return {
        y: (v) => (v > cut ? Math.max(TOP, TOP + (high - v) * upper) : Math.min(FLOOR, CUT + 4 + (cut - v) * lower)),
        v: (y) => between(low - 1, y < CUT ? high - (y - TOP) / upper : cut - (y - CUT - 4) / lower, high),
      };
    }
    drag(name, _, y) {
      const { f, typed } = this.seen;
      const shift = this.control("shift").checked ? Math.max(...typed) : 0;
      const v = this.scale(f).v(y) + shift;
      return { [name]: Number(v.toFixed(y < CUT || f.overflowAbove < 20 ? 1 : 0)) };
    }

    wall(shifted) {
      const { f, typed, e, s, lse, truth } = this.seen;
      const { y } = this.scale(f);
      const m = Math.max(...typed) * this.down;
      const ceiling = y(f.overflowAbove);
      const p = shifted ? this.seen.shifted : this.seen.naive;
      const role = shifted ? "stable" : "naive";
      let svg = box(30, 14, 308, ceiling - 14, "naive", `fill="currentColor" fill-opacity="0.15" stroke="none"`) +
        box(30, y(f.subnormalBelow), 308, FLOOR - y(f.subnormalBelow), "roundoff", `fill="currentColor" fill-opacity="0.3" stroke="none"`) +
        text(30, 10, `above Ω = ${show(f.largest)}: ${f.hasInfinity ? "inf" : "nan"}`, "start") + path(`M30 ${FLOOR}H338`) + text(26, FLOOR + 4, "0", "end") + text(26, y(0) + 4, "1", "end") + path(`M27 ${y(0)}h3`) +
        (FLOOR - y(f.subnormalBelow) > 11 ? text(334, FLOOR - 3, "subnormal", "end") : "");
      const shown = shifted ? typed.map((v) => ops(f).exp(ops(f).sub(round(v, f), round(Math.max(...typed), f)))) : e;
      const columns = [...typed.map((v, i) => [64 + 66 * i, v, shown[i], "stable"]), [284, lse, shifted ? ops(f).sum(shown) : s, "roundoff"]];
      let words = "";
      columns.forEach(([x, v, value, color], i) => {
        const top = y(v - m);
        const hit = value > 0 && value <= f.largest ? "" : "naive";
        svg += box(x - 22, top, 44, FLOOR - top, color, `fill="currentColor" fill-opacity="0.5" stroke="currentColor" stroke-width="2"`) +
          (top < ceiling && hit ? box(x - 22, top, 44, ceiling - top, "naive hit") : "");
        words += text(x, Math.max(TOP - 2, top - 4), show(value, 3), "middle", `class="halo ${hit && "bad"}" font-weight="700"`) +
          text(x, FLOOR + 13, i < 3 ? `exp(x${"₁₂₃"[i]})` : "their sum");
        if (i > 2) return;
        words += handle(x, between(TOP + 4, top, FLOOR - 4), `x${i + 1}`, 60, 44) + path(`M${x - 6} ${top + 5}h12m-12 4h12`) +
          text(x, 288, show(p[i], 3), "middle", `class="${p[i] > 0 ? "" : "bad"}" font-size="13" font-weight="700"`) +
          box(x - 28, 293, 56 * (p[i] || 0), 6, role) +
          (truth ? box(x - 28, 304, 56 * nearest(truth.p[i]), 4, "roundoff") : "");
      });
      svg += path(`M30 ${CUT}${"l4 -4l4 4".repeat(38)}`, "ground", `stroke-width="3"`) +
        path(`M30 ${ceiling}H338`, "naive", `stroke-width="3"`) +
        words + text(26, 288, "p", "end") + text(240, 300, "computed", "start", `class="${role}"`) + text(240, 311, "exact", "start", `class="roundoff"`);
      this.form.querySelector("svg").innerHTML = svg;
    }
  }

  customElements.define("explore-formats", Formats);
})();
