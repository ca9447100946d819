/* <explore-formats>: the zones of the naive softmax, in every format. */
(() => {
  "use strict";
  const {
    formats, round, ops, Explorable, show, showExact, exact, nearest, error, ulpError,
    softmaxNaive, softmaxShifted,
  } = StableSoftmax;
  const NAMES = ["x₁", "x₂", "x₃"];
  const ZONES = ["right", "gray zone", "zeros", "nan"];
  const BANDS = ["zero", "subnormal", "normal", "overflow"]; // of exp(x), from left to right

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
    template() {
      const options = Object.fromEntries(Object.values(formats).map((f) => [f.name, f.label]));
      const logits = (format, x1, x2, x3) => ({ format, x1, x2, x3 });
      const control = (i, value) =>
        this.range(`x${i}`, `Logit ${NAMES[i - 1]}`, { min: -1050, max: 1050, step: 1, value, limit: 99999 });
      return `${this.examples({
        "nan": logits("fp64", 1000, 1000, 100),
        "silent zeros": logits("fp32", 88.7, 88.7, 88),
        "gray zone": logits("fp32", -100, -101, -102),
        "false certainty": logits("fp32", -103, -104, -105),
        "right": logits("fp32", 80, 0.1, 0.3),
      })}
      ${this.select("format", "Format", options, "fp64")}
      ${control(1, 1000)} ${control(2, 1000)} ${control(3, 100)}
      <div class="strip" aria-hidden="true"></div>
      <p class="key" aria-hidden="true"></p>
      <p class="zones" aria-hidden="true">${ZONES.map((z) => `<span>${z}</span>`).join(" ")}</p>
      ${this.sentence()}
      ${this.table("Softmax of the three logits, to four digits", ["class", "x", "exp(x)", "naive", "shifted", "exact"])}`;
    }

    update() {
      const f = formats[this.control("format").value];
      const typed = [1, 2, 3].map((i) => this.number(`x${i}`));
      const x = typed.map((v) => round(v, f));
      this.draw(f, typed);
      const finite = x.every(Number.isFinite);
      const e = x.map(ops(f).exp);
      const s = ops(f).sum(e);
      const naive = softmaxNaive(x, f);
      const shifted = softmaxShifted(x, f);
      const truth = finite && exact(x);
      if (finite) {
        const [zone, cause, good] = zoneOf({ f, e, s, naive, shifted, truth });
        this.mark(zone);
        this.say(`${["Right", "Gray zone", "Zeros", "nan"][zone]}: ${cause} ${good}`);
      } else {
        this.mark(3);
        this.say(`nan: a logit is itself beyond ${show(f.largest)}, the largest number of ${f.name}.`);
      }
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
    }

    /** Let the sliders span the range of the format, and draw it. What is beyond stands at the end. */
    draw(f, x) {
      const limit = Math.ceil(Math.max(f.overflowAbove, -f.zeroBelow) * 0.14) * 10;
      for (const i of [1, 2, 3]) {
        const slider = this.control(`x${i}-slider`);
        Object.assign(slider, { min: -limit, max: limit, step: limit > 500 ? 1 : 0.1 });
        slider.value = x[i - 1];
      }
      const at = (v) => 50 + 50 * Math.max(-1, Math.min(v / limit, 1));
      const ends = [-limit, f.zeroBelow, f.subnormalBelow, f.overflowAbove, limit].map(at);
      this.form.querySelector(".strip").innerHTML =
        BANDS.map((b, i) => `<span class="band ${b}" style="left:${ends[i]}%;width:${ends[i + 1] - ends[i]}%"></span>`).join("") +
        x.map((v, i) => `<i ${v > 0 ? `class="left" style="right:${100 - at(v)}%` : `style="left:${at(v)}%`};top:${1.5 * i}rem">${NAMES[i]}</i>`).join("");
      const names = ["zero", "subnormal", "normal", f.hasInfinity ? "inf" : "nan"];
      this.form.querySelector(".key").innerHTML =
        `exp(x) is ${BANDS.map((b, i) => `<span><span class="band ${b}"></span> ${names[i]}</span>`).join(" ")}`;
    }

    mark(zone) {
      this.form.querySelectorAll(".zones span").forEach((span, i) => span.classList.toggle("here", i === zone));
    }
  }

  customElements.define("explore-formats", Formats);
})();
