/* <explore-epsilon>: a sample that is wrong by a gap, its loss, its gradient and the steps of
   gradient descent until it is right, as recovery.py counts them. */
(() => {
  "use strict";
  const {
    formats, round, ops, Explorable, show, showExact, showProbability, exact, negative, nearest,
    crossEntropy, logSoftmaxShifted, logSoftmaxEpsilon, logSoftmaxClamped, logSoftmaxTwoStep,
  } = StableSoftmax;
  const MAX_STEPS = 5000;
  const LABEL = 1; // the logits are [gap, 0]
  const FORMS = {
    "from logits": { role: "stable", logSoftmax: logSoftmaxShifted },
    epsilon: { role: "naive", logSoftmax: logSoftmaxEpsilon },
    clamped: { role: "alternative", logSoftmax: logSoftmaxClamped },
    "log(softmax)": { role: "roundoff", logSoftmax: logSoftmaxTwoStep },
  };

  /** The gradient that autograd finds: the derivatives of the operations, from the last one back. */
  function gradient(name, x, epsilon, f) {
    const { add, sub, mul, div, exp } = ops(f);
    const m = Math.max(...x);
    const e = x.map((v) => exp(sub(v, m)));
    const s = add(...e);
    let z; // the gradient with respect to x - m
    if (name === "from logits") {
      z = e.map((v) => mul(div(1, s), v));
      z[LABEL] = add(-1, z[LABEL]);
    } else {
      const p = div(e[LABEL], s);
      let up = div(-1, name === "epsilon" ? add(p, epsilon) : p); // of -log
      if (name === "clamped" && p < epsilon) up = 0;
      const ofSum = -mul(up, div(p, s));
      z = [ofSum, add(div(up, s), ofSum)].map((v, i) => mul(v, e[i]));
    }
    const ofMax = div(-add(...z), x.filter((v) => v === m).length);
    return z.map((v, i) => (x[i] === m ? add(v, ofMax) : v));
  }

  /** How many steps of learning rate 1 until the label's logit is the larger one. */
  function stepsToRecover(slope, x, f) {
    const { sub } = ops(f);
    for (let step = 0; step <= MAX_STEPS; step += 1) {
      if (x[LABEL] > x[0]) return step;
      const g = slope(x);
      if (!g.every(Number.isFinite) || g.every((v) => v === 0)) return Infinity;
      x = x.map((v, i) => sub(v, g[i]));
    }
    return NaN; // not within so many steps
  }
  const showSteps = (n) => (Number.isNaN(n) ? `over ${MAX_STEPS}` : n === Infinity ? "never" : `${n}`);

  class Epsilon extends Explorable {
    template() {
      const sample = (gap, power) => ({ gap, power, format: "fp32" });
      return `${this.examples({
        "p = ε": sample(16.118, -7),
        "ε = 1e-7, gap 22": sample(22, -7),
        "ε = 1e-12, gap 30": sample(30, -12),
        "p = 0": sample(104, -7),
      })}
        ${this.range("gap", "Gap", { min: -20, max: 120, step: 0.5, value: 20, limit: 1000 })}
        ${this.range("power", "ε = 10 to the power", { min: -15, max: -3, step: 1, value: -7 })}
        ${this.select("format", "Format", { fp64: "fp64", fp32: "fp32" }, "fp32")}
        ${this.sentence()}
        ${this.table("One sample, its label behind by the gap, to five digits", ["loss", "value", "gradient at the label", "steps"])}
        <svg viewBox="0 0 340 212" font-size="11" fill="none" aria-hidden="true"></svg>`;
    }

    update() {
      const f = formats[this.control("format").value];
      const gap = round(this.number("gap"), f);
      const typed = Number((10 ** this.number("power")).toPrecision(3));
      const epsilon = round(typed, f);
      const x = [gap, 0];
      const loss = (name, row) => crossEntropy(FORMS[name].logSoftmax, row, LABEL, f, epsilon);

      const found = {};
      for (const name of Object.keys(FORMS)) {
        const slope = (row) => gradient(name, row, epsilon, f);
        found[name] = { loss: loss(name, x), pull: slope(x)[LABEL], steps: stepsToRecover(slope, x, f) };
      }
      const { p, logp, complement } = exact(x);
      const trueSlope = (row) => [1, -1].map((sign) => sign / (1 + Math.exp(row[1] - row[0])));
      const truth = {
        loss: showExact(negative(logp[LABEL])),
        pull: showExact(negative(complement[LABEL])),
        steps: showSteps(stepsToRecover(trueSlope, x, formats.fp64)),
      };

      this.rows([
        ["exact", truth.loss, truth.pull, truth.steps],
        ...Object.entries(found).map(([name, { loss, pull, steps }]) => [
          name,
          show(loss),
          { text: show(pull), bar: Math.min(Math.abs(pull) || 0, 1), role: FORMS[name].role },
          showSteps(steps),
        ]),
      ]);
      const { loss: value, pull, steps } = found.epsilon;
      const ratio = nearest(p[LABEL]) / typed;
      const side = ratio > 10 ? "far above" : ratio < 0.1 ? "far below" : "near";
      const place = gap === 0 ? "level" : `${gap < 0 ? "ahead" : "behind"} by ${show(Math.abs(gap))}`;
      const instead = (text, right) => (text === right ? text : `${text} instead of ${right}`);
      this.say(
        `The label is ${place}, and its probability, ${showProbability(p[LABEL], complement[LABEL], 3)}, is ` +
        `${side} ε = ${show(typed)}. In ${f.name}, with epsilon, the loss is ${instead(show(value), truth.loss)}, ` +
        `the gradient ${instead(show(pull), truth.pull)}. Steps until the label wins: ` +
        `${showSteps(steps)} with epsilon, ${showSteps(found["from logits"].steps)} from the logits.`
      );
      this.plot(gap, found, loss, epsilon);
    }

    /** The loss over the gap; what is infinite is a cross at the top. */
    plot(gap, found, loss, epsilon) {
      const X = (v) => 30 + ((v + 20) / 140) * 300;
      const Y = (v) => 180 - (v / 120) * 160;
      const text = (x, y, words, more = "") =>
        `<text x="${x}" y="${y}" fill="currentColor" stroke="none" ${more}>${words}</text>`;
      const dashes = { stable: "", naive: "6 3", alternative: "6 2 1 2", roundoff: "1 3" };
      const gaps = Array.from({ length: 141 }, (_, i) => i - 20);
      let svg = `<path d="M30 20V180H330" stroke="currentColor"/>`;
      for (const v of [0, 40, 80, 120]) {
        svg += text(X(v), 194, v, 'text-anchor="middle"') + text(26, Y(v) + 4, v, 'text-anchor="end"');
      }
      svg += text(180, 207, "gap", 'text-anchor="middle"') + text(4, 12, "loss");
      for (const [name, { role }] of Object.entries(FORMS)) {
        const losses = gaps.map((g) => loss(name, [g, 0]));
        const line = gaps.map((g, i) => [X(g), Y(losses[i])]).filter(([, y]) => Number.isFinite(y));
        const crosses = gaps.filter((g, i) => losses[i] === Infinity && g % 4 === 0);
        svg += `<g class="${role}" stroke="currentColor" stroke-width="2">
          <path d="M${line.map((point) => point.map((v) => v.toFixed(1))).join("L")}" stroke-dasharray="${dashes[role]}"/>
          <path d="${crosses.map((g) => `M${X(g) - 3} 17l6 6m0 -6l-6 6`).join("")}"/>`;
        if (Math.abs(gap - 50) <= 70 && /logits|epsilon/.test(name)) {
          svg += `<circle cx="${X(gap)}" cy="${Y(found[name].loss)}" r="4" fill="currentColor"/>`;
        }
        svg += "</g>";
      }
      const cap = Y(-Math.log(epsilon)) - 5;
      svg += text(X(62), Y(70), "from logits", 'text-anchor="end"');
      svg += text(330, cap, "epsilon, clamped", 'text-anchor="end"');
      if (!Number.isFinite(loss("log(softmax)", [120, 0]))) {
        svg += text(X(100), 24, "log(softmax): inf", 'text-anchor="end"');
      }
      this.form.querySelector("svg").innerHTML = svg;
    }
  }
  customElements.define("explore-epsilon", Epsilon);
})();
