/* <explore-network>: softmax regression that trains here, with the losses of experiments/training.py.
   Each step keeps logits, p, loss and gradient, and stops at the first inf or nan. */
(() => {
  "use strict";
  const { formats, round, ops, Explorable, show, crossEntropy, logSoftmaxShifted } = StableSoftmax;
  const N = 90;
  const STEPS = 100;
  const START = [[-1.2, 0.3, 0], [0.9, 1.1, 0], [0.4, -1, 0]]; // two weights and a bias; most are wrong
  const EDGES = [0, 1, 2, 4, 8, -Math.log(1e-7), 32, 64, 128, 256, Infinity]; // of the gaps
  const ROLES = { naive: "naive", "log(softmax)": "roundoff", epsilon: "alternative", "from logits": "stable" };
  const BOXES = ["logits", "p", "loss", "gradient"];
  const finite = (values) => values.flat().every(Number.isFinite);
  const count = (n) => `${n} sample${n === 1 ? "" : "s"}`;
  const percent = (n) => `${Math.round((100 * n) / N)} %`;

  let seed = 1; // of a linear congruential generator; twelve uniform numbers make nearly a normal one
  const random = () => (seed = (seed * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const normal = () => Array.from({ length: 12 }, random).reduce((a, b) => a + b) - 6;
  const LABELS = Array.from({ length: N }, (_, i) => i % 3);
  const POINTS = LABELS.map((y) => [[0, 1.2], [-1, -0.6], [1, -0.6]][y].map((c) => c + 0.45 * normal()));

  /** The sum of products. Those of fp16 are exact in fp32, where they are also added. */
  const dot = (a, b, f) => ops(f).sum(a.map((v, i) => round(v * b[i], formats.fp32)));

  /** One of n samples: its p, its loss, and the gradient of the mean that autograd finds, from the
      last operation back. q is what the logarithm is taken of, up the gradient that arrives there. */
  function sample(name, x, label, n, f) {
    const { add, sub, mul, div, exp, log, sum } = ops(f);
    const m = Math.max(...x);
    const z = name === "naive" ? x : x.map((v) => sub(v, m));
    const e = z.map(exp);
    const s = sum(e);
    const p = e.map((v) => div(v, s));
    const q = name === "epsilon" ? p.map((v) => add(v, round(1e-7, f))) : p;
    let up = x.map((_, i) => (i === label ? div(-1, n) : 0)); // of the log-probabilities
    let loss, g;
    if (name === "from logits") {
      loss = -sub(z[label], log(s));
      const ofSum = div(-sum(up), s);
      g = e.map((v, i) => add(up[i], mul(ofSum, v)));
    } else {
      loss = -log(q[label]);
      up = up.map((v, i) => div(v, q[i])); // 0 / 0 is nan, also where the loss does not look
      const ofSum = sum(up.map((v, i) => -mul(v, div(p[i], s))));
      g = up.map((v, i) => mul(add(div(v, s), ofSum), e[i]));
    }
    if (name !== "naive") {
      const ofMax = -sum(g);
      const ties = x.filter((v) => v === m).length;
      g = g.map((v, i) => add(v, div(mul(ofMax, Number(x[i] === m)), ties)));
    }
    return { x, label, e, p, q, loss, up, g, gap: m - x[label] };
  }

  class Network extends Explorable {
    static sample = sample;

    connectedCallback() {
      if (this.form) return;
      super.connectedCallback();
      this.form.addEventListener("click", ({ target }) => this[target.dataset.act]?.());
    }

    template() {
      const run = (loss, power, rate, format = "fp32") => ({ loss, power, rate, format });
      return `<p>One linear layer learns to tell ${N} points of three classes apart. What kills it?</p>
        ${this.examples({
          "Learns": run("naive", 0, -1),
          "Dies: nan in p": run("naive", 6, -3),
          "Dies: inf loss": run("log(softmax)", 6, -3),
          "Dies: only the gradient": run("log(softmax)", 0, 1, "fp16"),
          "Stalls": run("epsilon", 6, -3),
          "Same inputs, learns": run("from logits", 6, -3),
          "ε in fp16": run("epsilon", 3, -2, "fp16"),
        })}
        ${this.range("power", "Inputs × 2 to the power", { min: -4, max: 8, step: 1, value: 0 })}
        ${this.range("rate", "Rate = 10 to the power", { min: -4, max: 1, step: 0.5, value: -1 })}
        ${this.select("loss", "Loss", {
          naive: "naive: −log of the naive softmax", "log(softmax)": "log(softmax): −log of the shifted one",
          epsilon: "epsilon: −log(p + 10⁻⁷)", "from logits": "from logits",
        }, "naive")}
        ${this.select("format", "Format", { fp32: "fp32", fp16: "fp16" }, "fp32")}
        <div class="examples" role="group" aria-label="Training">
          <button type="button" data-act="step">Step</button>
          <button type="button" data-act="run">Run</button>
          <span class="numbers"></span></div>
        <ol class="chain" aria-label="What each step computes">${BOXES.map((name) => `<li><b>${name}</b> <span></span></li>`).join("")}</ol>
        ${this.sentence()}
        <div class="plots">${[
          "Loss in each step. Dotted: the exact loss of the same logits.",
          "Samples by gap, how far the label’s logit is behind the largest. Beyond 16.1 = −log 10⁻⁷, p is below ε. " +
          "Gray: right. Blue: wrong. Outlined: wrong, with less than 1 % of its gradient left.",
        ].map((text) => `<p><svg viewBox="0 0 300 190" font-size="12" fill="none" aria-hidden="true"></svg>${text}</p>`).join("")}</div>`;
    }

    say(text) {
      super.say(text.replace("The table", "The network")); // of a control that is out of range
    }

    set(values) {
      super.set(values);
      this.run();
    }

    /** Begin again: whatever changes, the network is a new one. */
    update() {
      this.pause();
      const f = formats[this.control("format").value];
      const rate = round(10 ** this.number("rate"), formats.fp32);
      const name = this.control("loss").value;
      const inputs = POINTS.map((point) => [...point.map((v) => round(v * 2 ** this.number("power"), f)), 1]);
      const W = START.map((row) => row.map((v) => round(v, f)));
      this.now = { f, rate, name, inputs, W, history: [] };
      this.compute();
      this.draw();
      this.tell();
    }

    /** Everything of one step but the change of the weights. */
    compute() {
      const { f, name, inputs, W, history } = this.now;
      const samples = inputs.map((v, i) => sample(name, W.map((w) => dot(v, w, f)), LABELS[i], N, f));
      const tensors = [samples.map(({ x }) => x), samples.map(({ p }) => p), samples.map(({ loss }) => [loss]), samples.map(({ g }) => g)];
      const truth = samples.map(({ x, label }) => crossEntropy(logSoftmaxShifted, x, label, formats.fp64) / N);
      const part = samples.map(() => 1 / N);
      history.push({ loss: dot(tensors[2].flat(), part, f), truth: truth.reduce((a, b) => a + b) });
      Object.assign(this.now, {
        samples, tensors,
        broken: tensors.findIndex((rows) => !finite(rows)),
        right: samples.filter(({ gap }) => gap === 0).length,
        lost: samples.filter(({ gap, g, label }) => gap > 0 && !(Math.abs(g[label]) * N >= 0.01)).length,
      });
    }

    get over() {
      return this.now.broken >= 0 || this.now.history.length === STEPS;
    }

    advance() {
      const { f, rate, inputs, samples, W } = this.now;
      const { sub, mul } = ops(f);
      this.now.W = W.map((row, i) => row.map((v, k) =>
        sub(v, mul(rate, dot(samples.map(({ g }) => g[i]), inputs.map((x) => x[k]), f)))));
      this.compute();
    }

    step() {
      this.pause();
      if (!this.over) this.advance();
      this.draw();
      this.tell();
    }

    /** To the end, one step in each frame; at the end, from the beginning. */
    run() {
      if (this.frame) return this.step();
      if (this.over && this.now.history.length > 1) this.update();
      this.say("The network is training.");
      this.form.querySelector("[data-act=run]").textContent = "Pause";
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const next = () => {
        do if (!this.over) this.advance(); while (still && !this.over);
        this.draw();
        this.frame = !this.over && requestAnimationFrame(next);
        if (this.over) this.step();
      };
      this.frame = requestAnimationFrame(next);
    }
    pause() {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      this.form.querySelector("[data-act=run]").textContent = "Run";
    }

    /** The verdict in words. */
    tell() {
      const { broken, history, right, lost, name } = this.now;
      const { loss, truth } = history.at(-1);
      const t = history.length;
      const none = `${lost} of ${N} samples have lost their gradient: next to ε, their p is nothing, so nothing pulls them back. ` +
        `The loss says ${show(loss, 3)}, the truth is ${show(truth, 3)}`;
      if (broken >= 0) this.say(`Dead in step ${t}: ${this.cause()}`);
      else if (t < STEPS) {
        this.say(`Step ${t}: nothing is inf or nan, ${percent(right)} of the samples are right. Step or run on.`);
      } else if (lost >= 0.1 * N) this.say(`Stalls: after ${t} steps ${percent(right)} are right. ${none}. No inf, no nan, no warning.`);
      else if (right >= 0.9 * N) {
        this.say(`Learns: after ${t} steps ${percent(right)} of the samples are right. ` +
          (lost ? `But ${none}.` : name === "from logits" ? "This loss survives any input that fits the format." : "Now make the inputs larger."));
      } else this.say(`Not yet: after ${t} steps ${percent(right)} are right. No wrong sample has lost its gradient; the steps are too short or too long.`);
    }

    /** Why the first broken box is broken. */
    cause() {
      const { broken, tensors, samples, f } = this.now;
      const at = tensors[broken].findIndex((row) => !finite(row));
      const n = tensors[broken].filter((row) => !finite(row)).length;
      const { x, label, e, q, up, gap } = samples[at];
      if (broken === 0) return `the last step was so long that the logits of ${count(n)} left ${f.name}. No loss can repair that; a smaller rate can.`;
      if (broken === 1) {
        return `nan in p. ${e.includes(Infinity) ? `A logit is ${show(Math.max(...x), 3)}, its exponential overflows to inf, and inf / inf` :
          "All exponentials of a sample underflow to 0, and 0 / 0"} is nan.`;
      }
      if (broken === 2) return `inf in the loss. The label of a sample is behind by ${show(gap, 3)}, its p underflows to 0, and −log 0 is inf.`;
      const reason = Number.isFinite(up[label])
        ? "a class that is not the label has p = 0. Autograd divides 0 by it, and 0 / 0 is nan"
        : `autograd divides 1/${N} by ${show(q[label], 3)}, and that overflows ${f.name} to inf`;
      return `nan in the gradient, though every loss is finite. In ${count(n)}, ${reason}.`;
    }

    draw() {
      const { history, tensors, samples, broken, right, lost, name, f } = this.now;
      const { loss, truth } = history.at(-1);
      this.form.querySelector(".numbers").textContent =
        `Step ${history.length} of ${STEPS}: loss ${show(loss, 3)} (exact ${show(truth, 3)}), right ${percent(right)}, without a gradient ${percent(lost)}`;
      this.form.querySelectorAll(".chain li").forEach((box, i) => {
        const bad = tensors[i].filter((row) => !finite(row));
        const values = tensors[i].flat();
        box.className = i === broken ? "first" : bad.length ? "after" : "";
        box.lastChild.textContent = bad.length
          ? `${i === broken ? "first " : ""}${bad.flat().some(Number.isNaN) ? "nan" : "inf"}, in ${count(bad.length)}`
          : `${show(Math.min(...values), 2)} to ${show(Math.max(...values), 2)}`;
      });

      const text = (x, y, words, anchor = "middle") =>
        `<text x="${x}" y="${y}" fill="currentColor" stroke="none" text-anchor="${anchor}">${words}</text>`;
      const [left, rightPlot] = this.form.querySelectorAll("svg");

      // The loss, logarithmic from 0.01 to 1000; a cross where the run dies
      const X = (t) => 36 + (t / STEPS) * 254;
      const Y = (v) => 164 - (Math.max(-2, Math.min(Math.log10(v), 3)) + 2) * 28;
      const line = (key) => history.map((entry, i) => [X(i + 1), Y(entry[key])]).filter(([, y]) => !Number.isNaN(y))
        .map((point) => point.map((v) => v.toFixed(1))).join("L");
      let svg = `<path d="M36 20V164H290" stroke="currentColor"/>${text(4, 12, "loss", "start")}${text(163, 188, "step")}`;
      for (const v of [0.01, 0.1, 1, 10, 100, 1000]) svg += text(33, Y(v) + 4, v, "end");
      for (const t of [0, 50, 100]) svg += text(X(t), 178, t);
      const dead = broken >= 0 && Y(loss || Infinity);
      svg += `<g class="${ROLES[name]}"><path d="M${line("loss")}" stroke="currentColor" stroke-width="3"/></g>
        <path d="M${line("truth")}" stroke="currentColor" stroke-width="1.5" stroke-dasharray="1 3"/>`;
      if (broken >= 0) {
        svg += `<g class="naive"><path d="M${X(history.length) - 5} ${dead - 5}l10 10m0 -10l-10 10" stroke="currentColor" stroke-width="3"/></g>
          ${text(X(history.length) + 9, dead + 4, `dead: ${BOXES[broken]}`, "start")}`;
      }
      left.innerHTML = svg;

      // The gaps: the right samples, then the bins between the edges
      const W = 25;
      svg = `<path d="M12 164H288" stroke="currentColor"/>${text(24, 178, "right")}${text(163, 188, "gap")}`;
      EDGES.forEach((edge, i) => {
        if (i && i < 10) svg += text(12 + W * (i + 1), 178, show(edge, 3));
        const bin = samples.filter(({ gap }) => (i ? gap > EDGES[i - 1] && gap <= edge : gap === 0));
        const without = i ? bin.filter(({ g, label }) => !(Math.abs(g[label]) * N >= 0.01)).length : 0;
        const bar = (role, from, n, more) => n ? `<g class="${role}"><rect x="${14 + W * i}" y="${164 - (from + n) * 1.4}" width="${W - 4}" height="${n * 1.4}" stroke="currentColor" ${more}/></g>` : "";
        svg += bar(i ? "stable" : "roundoff", 0, bin.length - without, 'fill="currentColor"') +
          bar("naive", bin.length - without, without, 'stroke-width="2" stroke-dasharray="4 2"') +
          (bin.length ? text(24.5 + W * i, 160 - bin.length * 1.4, bin.length) : "");
      });
      svg += `<path d="M162 20V164" stroke="currentColor" stroke-dasharray="6 3"/>${text(165, 26, "p below ε", "start")}`;
      rightPlot.innerHTML = svg;
    }
  }
  customElements.define("explore-network", Network);
})();
