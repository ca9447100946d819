/* <explore-epsilon>: a sample that is wrong by a gap, as two balls on the curves of two losses: each
   step of gradient descent rolls them until the sample is right, as recovery.py counts them. */
(() => {
  "use strict";
  const {
    formats, round, ops, Player, show, showExact, showProbability, exact, negative, nearest,
    crossEntropy, autograd, logSoftmaxShifted, logSoftmaxEpsilon, logSoftmaxClamped, logSoftmaxTwoStep,
    text, path, handle, between,
  } = StableSoftmax;
  const MAX_STEPS = 5000;
  const LABEL = 1; // the logits are [gap, 0]
  const FORMS = {
    "from logits": { role: "shifted", logSoftmax: logSoftmaxShifted },
    epsilon: { role: "epsilon", logSoftmax: logSoftmaxEpsilon },
    clamped: { role: "clamped", logSoftmax: logSoftmaxClamped },
    "log(softmax)": { role: "log-softmax", logSoftmax: logSoftmaxTwoStep },
  };
  const BALLS = ["from logits", "epsilon"];

  /** The steps of learning rate 1 until the label's logit is the larger one, and the logits after each. */
  function recover(slope, x, f) {
    const { sub } = ops(f);
    const way = [x];
    for (let step = 0; step <= MAX_STEPS; step += 1) {
      if (x[LABEL] > x[0]) return { way, steps: step };
      const g = slope(x);
      if (!g.every(Number.isFinite) || g.every((v) => v === 0)) return { way, steps: Infinity };
      x = [sub(x[0], g[0]), sub(x[1], g[1])];
      way.push(x);
    }
    return { way, steps: NaN }; // not within so many steps
  }
  const showSteps = (n) => (Number.isNaN(n) ? `over ${MAX_STEPS}` : n === Infinity ? "never" : `${n}`);

  class Epsilon extends Player {
    parts = ["gap", "power", "format"];
    pace = 100;
    picture = { gap: 22, step: 12 };

    template() {
      const sample = (gap, power) => ({ gap, power, format: "fp32", step: 0 });
      return `${this.examples({
        "p = ε": sample(16.118, -7),
        "ε = 1e−7, gap 22": sample(22, -7),
        "ε = 1e−12, gap 30": sample(30, -12),
        "p = 0": sample(104, -7),
      })}
        ${this.drawing(340, 268)}
        ${this.player(MAX_STEPS, "Let go")}
        ${this.range("gap", "Gap", { min: -20, max: 120, step: 0.5, value: 20, limit: 1000 })}
        ${this.range("power", "ε = 10 to the power", { min: -15, max: -3, step: 1, value: -7 })}
        ${this.select("format", "Format", { fp64: "fp64", fp32: "fp32" }, "fp32")}
        ${this.sentence(365)}
        ${this.folded("All losses", this.table("One sample, its label behind by the gap, to five digits", ["loss", "value", "gradient at the label", "steps"]))}`;
    }

    begin(typedGap, power, format) {
      const f = formats[format];
      const gap = round(Number(typedGap), f);
      const typed = Number((10 ** power).toPrecision(3));
      const epsilon = round(typed, f);
      const x = [gap, 0];
      const loss = (name, row) => crossEntropy(FORMS[name].logSoftmax, row, LABEL, f, epsilon);

      const found = {};
      for (const name of Object.keys(FORMS)) {
        const slope = autograd(name, epsilon, f);
        found[name] = { loss: loss(name, x), pull: slope(x)[LABEL], ...recover(slope, x, f) };
      }
      const { p, logp, complement } = exact(x);
      const trueSlope = ([a, b]) => [1 / (1 + Math.exp(b - a)), -1 / (1 + Math.exp(b - a))];
      const truth = {
        loss: showExact(negative(logp[LABEL])),
        pull: showExact(negative(complement[LABEL])),
        steps: showSteps(recover(trueSlope, x, formats.fp64).steps),
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
      const said =
        `The label is ${place}, and its probability, ${showProbability(p[LABEL], complement[LABEL], 3)}, is ` +
        `${side} ε = ${show(typed)}. In ${f.name}, with epsilon, the loss is ${instead(show(value), truth.loss)}, ` +
        `the gradient ${instead(show(pull), truth.pull)}. Steps until the label wins: ` +
        `${showSteps(steps)} with epsilon, ${showSteps(found["from logits"].steps)} from the logits.`;
      const high = gap > 60 ? 120 : 60;
      const drawn = [power, format, high].join();
      if (this.drawn !== drawn) Object.assign(this, { drawn, high, curves: this.plot(loss, epsilon, high) });
      Object.assign(this, { found, loss, said });
      return Math.max(...BALLS.map((name) => found[name].way.length - 1), 1);
    }

    draw(step) {
      let svg = this.curves;
      const fates = [];
      BALLS.forEach((name, i) => {
        const { way, steps } = this.found[name];
        const { role } = FORMS[name];
        const now = Math.min(step, way.length - 1);
        const gap = way[now][0] - way[now][1];
        const [x, y] = [between(30, X(gap, this.high), 334), between(14, Y(this.loss(name, way[now]), this.high), 220)];
        const fate = now === steps ? `home after ${steps} steps`
          : steps === Infinity && now === way.length - 1 ? `gap ${show(gap)} for ever, without a gradient` : `gap ${show(gap)} after ${now} steps`;
        fates.push(`${name}: ${fate}`);
        svg += `<circle class="${role}" cx="${x}" cy="${y}" r="7" fill="currentColor"/>` + handle(x, y, "gap") +
          text(40, 250 + 15 * i, fates[i], "start", `class="${role}" font-weight="700"`);
      });
      this.form.querySelector("svg").innerHTML = svg;
      this.say(step ? `${this.said} Now ${fates.join("; ")}.` : this.said);
    }

    /** A ball lies where the gap is; the height of the plateau is -log ε. */
    drag(name, x, y) {
      const { high } = this;
      if (name === "gap") return { gap: between(-high / 6, Math.round(((x - 30) / 300) * (7 / 3) * high - high / 3) / 2, high), step: 0 };
      return { power: between(-15, Math.round((((y - 220) / 200) * high) / Math.LN10), -3), step: 0 };
    }

    /** The losses over the gap; what is infinite is a cross at the top. */
    plot(loss, epsilon, high) {
      const dashes = { shifted: "", epsilon: "7 2 1 2 1 2", clamped: "6 2 1 2", "log-softmax": "1 3" };
      const [atX, atY] = [(v) => X(v, high), (v) => Y(v, high)];
      const gaps = Array.from({ length: 141 }, (_, i) => ((i - 20) * high) / 120);
      let svg = path("M30 20V220H330") + text(180, 233, "gap, by which the label is behind") + text(4, 12, "loss", "start");
      for (const v of [0, high]) svg += text(atX(v), 233, v);
      for (const v of [0, 1, 2, 3]) svg += text(26, 224 - (v * 200) / 3, (v * high) / 3, "end");
      for (const [name, { role }] of Object.entries(FORMS)) {
        const losses = gaps.map((g) => loss(name, [g, 0]));
        const line = gaps.map((g, i) => [atX(g), atY(losses[i])]).filter(([, y]) => Number.isFinite(y));
        const crosses = gaps.filter((g, i) => losses[i] === Infinity && g % 4 === 0);
        svg += `<g class="${role}" stroke="currentColor" stroke-width="2">
          <path d="M${line.map((point) => point.map((v) => v.toFixed(1))).join("L")}" stroke-dasharray="${dashes[role]}"/>
          <path d="${crosses.map((g) => `M${atX(g) - 3} 17l6 6m0 -6l-6 6`).join("")}"/></g>`;
      }
      const cap = atY(-Math.log(epsilon));
      svg += text(196, 100, "from logits", "end") + text(310, cap + 15, "epsilon, clamped", "end") +
        path(`M322 ${cap - 9}l5 6h-10zm0 18l5 -6h-10z`, "", `fill="currentColor"`) + handle(322, cap, "power");
      if (!Number.isFinite(loss("log(softmax)", [high, 0]))) svg += text(atX(100), 24, "log(softmax): inf", "end");
      return svg;
    }
  }
  const X = (v, high) => 30 + ((v + high / 6) / (7 / 6) / high) * 300; // where a gap is, up to high
  const Y = (v, high) => 220 - (v / high) * 200;
  customElements.define("explore-epsilon", Epsilon);
})();
