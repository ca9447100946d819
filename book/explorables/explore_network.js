/* <explore-network>: softmax regression with the losses of experiments/training.py, to the first nan. */
(() => {
  "use strict";
  const { formats, round, ops, Explorable, show, crossEntropy, logSoftmaxShifted, text } = StableSoftmax;
  const N = 90;
  const STEPS = 100;
  const EDGES = [0, 1, 2, 4, 8, -Math.log(1e-7), 32, 64, 128, 256, Infinity]; // of the gaps
  const ROLES = { naive: "naive", "log(softmax)": "roundoff", epsilon: "alternative", "from logits": "stable" };
  const BOXES = ["logits", "p", "loss", "gradient"];
  const START = [[-1.2, 0.3, 0], [0.9, 1.1, 0], [0.4, -1, 0]]; // two weights and a bias of each class

  let seed = 1; // of a linear congruential generator
  const random = () => (seed = (seed * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
  const noise = () => random() + random() + random() - 1.5;
  const POINTS = Array.from({ length: N }, (_, i) =>
    [[0, 1.2], [-1, -0.6], [1, -0.6]][i % 3].map((center) => center + noise()));

  const finite = (values) => values.every(Number.isFinite);
  const count = (n) => `${n} of ${N} samples`;
  const percent = (n) => `${Math.round((100 * n) / N)} %`;
  /** The sum of products, for fp16 in fp32. */
  const dot = (a, b, f) => ops(f).sum(a.map((v, i) => round(v * b[i], formats.fp32)));

  /** One of n samples, and the gradient of the mean loss: as autograd, from the last operation back. */
  function sample(name, logits, label, n, f) {
    const { add, sub, mul, div, exp, log, sum } = ops(f);
    const m = Math.max(...logits);
    const e = logits.map((v) => exp(name === "naive" ? v : sub(v, m)));
    const s = sum(e);
    const p = e.map((v) => div(v, s));
    const q = name === "epsilon" ? p.map((v) => add(v, round(1e-7, f))) : p;
    let up = e.map((_, i) => (i === label ? div(-1, n) : 0));
    let loss, gradient;
    if (name === "from logits") {
      loss = -sub(sub(logits[label], m), log(s));
      const ofSum = div(-sum(up), s);
      gradient = e.map((v, i) => add(up[i], mul(ofSum, v)));
    } else {
      loss = -log(q[label]);
      up = up.map((v, i) => div(v, q[i])); // 0 / 0 is nan, even where no loss looks
      const ofSum = sum(up.map((v, i) => -mul(v, div(p[i], s))));
      gradient = up.map((v, i) => mul(add(div(v, s), ofSum), e[i]));
    }
    if (name !== "naive") {
      const isMax = logits.map((v) => Number(v === m));
      const ofMax = -sum(gradient);
      gradient = gradient.map((v, i) => add(v, div(mul(ofMax, isMax[i]), sum(isMax))));
    }
    const gap = m - logits[label];
    const lost = gap > 0 && !(Math.abs(gradient[label]) * n >= 0.01);
    return { logits, label, e, p, q, loss, up, gradient, gap, lost };
  }

  class Network extends Explorable {
    static sample = sample;

    template() {
      const run = (loss, power, rate, format = "fp32") => ({ loss, power, rate, format });
      return `<p>One linear layer learns to tell ${N} points of three classes apart. What kills it?</p>
        ${this.examples({
          "Learns": run("naive", 0, -1),
          "Dies in p": run("naive", 6, -3),
          "Dies in the loss": run("log(softmax)", 6, -3),
          "Dies in the gradient": run("log(softmax)", 0, 0.5, "fp16"),
          "Stalls": run("epsilon", 6, -3),
          "Same, from logits": run("from logits", 6, -3),
          "ε in fp16": run("epsilon", 3, -2, "fp16"),
        })}
        ${this.range("power", "Inputs × 2 to the power", { min: -4, max: 8, step: 1, value: 0 })}
        ${this.range("rate", "Rate = 10 to the power", { min: -4, max: 1, step: 0.5, value: -1 })}
        ${this.select("loss", "Loss", {
          naive: "naive: −log of naive p", "log(softmax)": "log(softmax): −log p",
          epsilon: "epsilon: −log(p + 10⁻⁷)", "from logits": "from logits: without p",
        })}
        ${this.select("format", "Format", { fp32: "fp32", fp16: "fp16" })}
        <div class="examples">
          <button type="button" data-go="step">Step</button>
          <button type="button" name="run" data-go="run">Run</button><span></span></div>
        <ol>${BOXES.map((name) => `<li><b>${name}</b> <span></span></li>`).join("")}</ol>
        ${this.sentence(165)}
        <div class="plots">${[
          "Loss in each step. Dotted: the exact loss of the same logits.",
          "Samples by gap, which is how far the label’s logit is behind the largest. Beyond 16.1 = −log 10⁻⁷, p is below ε. " +
          "Outlined: less than 1 % of the gradient is left.",
        ].map((words) => `<p>${this.drawing(300, 190, 'stroke-linecap="round"')}${words}</p>`).join("")}</div>`;
    }

    say(text) {
      super.say(text.replace("The table", "The network")); // has not changed
    }
    set(values) {
      super.set(values);
      this.run();
    }

    /** Begin again. */
    update() {
      this.pause();
      const f = formats[this.control("format").value];
      this.now = {
        f, name: this.control("loss").value, history: [],
        rate: round(10 ** this.number("rate"), formats.fp32),
        inputs: POINTS.map((v) => [...v.map((x) => round(x * 2 ** this.number("power"), f)), 1]),
        weights: START.map((row) => row.map((v) => round(v, f))),
      };
      this.compute();
      this.step(0);
    }

    /** All of a step but the change of the weights. */
    compute() {
      const { f, name, inputs, weights, history } = this.now;
      const samples = inputs.map((v, i) => sample(name, weights.map((w) => dot(v, w, f)), i % 3, N, f));
      const tensors = BOXES.map((key) => samples.map((s) => [s[key]].flat()));
      const mean = (losses, format) => dot(losses, losses.map(() => 1 / N), format);
      history.push({
        loss: mean(tensors[2].flat(), f),
        exact: mean(samples.map((s) => crossEntropy(logSoftmaxShifted, s.logits, s.label, formats.fp64)), formats.fp64),
      });
      const broken = tensors.findIndex((rows) => !finite(rows.flat()));
      this.now = {
        ...this.now, samples, tensors, broken, over: broken >= 0 || history.length === STEPS,
        right: samples.filter((s) => s.gap === 0).length,
        lost: samples.filter((s) => s.lost).length,
      };
    }
    advance() {
      const { f, rate, inputs, samples, weights } = this.now;
      const slope = (i, k) => dot(samples.map((s) => s.gradient[i]), inputs.map((v) => v[k]), f);
      this.now.weights = weights.map((row, i) => row.map((v, k) => ops(f).sub(v, ops(f).mul(rate, slope(i, k)))));
      this.compute();
    }

    step(steps = 1) {
      this.pause();
      if (steps && !this.now.over) this.advance();
      this.draw();
      this.say(this.verdict());
    }
    /** To the end, a step in each frame, or at once where nothing may move. */
    run() {
      if (this.frame) return this.step(0);
      if (this.now.over) this.update();
      this.control("run").textContent = "Pause";
      this.say("Training.");
      const still = matchMedia("(prefers-reduced-motion: reduce), print").matches;
      const next = () => {
        do {
          if (this.now.over) return this.step();
          this.advance();
        } while (still);
        this.draw();
        this.frame = requestAnimationFrame(next);
      };
      if (still) next();
      else this.frame = requestAnimationFrame(next);
    }
    /** On paper: the run that the reader has begun, or one that dies. */
    paper(on) {
      if (on && this.now.history.length === 1) {
        this.screen = this.state();
        this.set({ power: 6, rate: -3 });
      } else if (!on && this.screen) {
        super.set(this.screen);
        this.screen = null;
      }
    }
    pause() {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      this.control("run").textContent = "Run";
    }

    verdict() {
      const { broken, history, over, right, lost } = this.now;
      if (broken >= 0) return `Dead in step ${history.length}: ${this.cause()}.`;
      const fate = !over ? "Alive" : lost >= 0.1 * N ? "Stalls" : right >= 0.9 * N ? "Learns" : "Not yet";
      return `${fate}: ${percent(right)} are right. ` + (lost
        ? `The gradient of ${count(lost)} is gone: their p is negligible beside ε, and nothing pulls them back. No inf, no nan, no warning.`
        : "The wrong ones have a gradient, and nothing is inf or nan.");
    }

    /** Why the first broken box is broken. */
    cause() {
      const { broken, tensors, samples, f } = this.now;
      const bad = samples.filter((_, i) => !finite(tensors[broken][i]));
      const { logits, label, e, q, up, gap } = bad[0];
      return [
        `the step was so long that logits left ${f.name}. No loss mends that; a smaller rate does`,
        "nan in p. " + (e.includes(Infinity)
          ? `The exponential of a logit, ${show(Math.max(...logits), 3)}, overflows to inf, and inf / inf is nan`
          : "All exponentials of a sample underflow to 0, and 0 / 0 is nan"),
        `inf in the loss. A label is behind by ${show(gap, 3)}, its p underflows to 0, and −log 0 is inf`,
        `nan in the gradient, and every loss is finite. In ${count(bad.length)}, autograd divides ` + (Number.isFinite(up[label])
          ? "0 by p = 0 of another class, and 0 / 0 is nan"
          : `1/${N} by ${show(q[label], 3)}, which overflows to inf`),
      ][broken];
    }

    draw() {
      const { history, tensors, samples, broken, right, lost, name } = this.now;
      const t = history.length;
      const { loss, exact } = history[t - 1];
      this.form.querySelector("button + span").textContent =
        `Step ${t} of ${STEPS}: loss ${show(loss, 3)} (exact ${show(exact, 3)}), right ${percent(right)}, without a gradient ${percent(lost)}`;
      this.form.querySelectorAll("li").forEach((box, i) => {
        const bad = tensors[i].filter((row) => !finite(row)).length;
        const values = tensors[i].flat();
        box.className = i === broken ? "first" : bad ? "after" : "";
        box.lastChild.textContent = bad
          ? `${i === broken ? "first " : ""}${values.some(Number.isNaN) ? "nan" : "inf"}, in ${bad} of ${N}`
          : `${show(Math.min(...values), 2)} to ${show(Math.max(...values), 2)}`;
      });

      const path = (d, more) => `<path d="M${d}" ${more}/>`;
      const [first, second] = this.form.querySelectorAll("svg");

      // The loss, logarithmic from 0.01 to 1000; a cross where it dies
      const X = (step) => 36 + step * 2.5;
      const Y = (v) => 108 - 28 * (v < 1000 ? Math.log10(Math.max(v, 0.01)) : 3);
      const line = (key, more) => path(`${history.map((entry, i) => `${X(i + 1)} ${Y(entry[key])}`).join("L")}h0`, more);
      first.innerHTML = path("36 20V164H290") + text(4, 12, "loss", "start") + text(224, 180, "step") +
        [0.01, 0.1, 1, 10, 100, 1000].map((v) => text(32, Y(v) + 4, v, "end")).join("") +
        [0, 50, 100].map((v) => text(X(v), 180, v)).join("") +
        line("loss", `class="${ROLES[name]}" stroke-width="4"`) + line("exact", 'stroke-width="2" stroke-dasharray="0 5"') +
        (broken < 0 ? "" : path(`${X(t) - 5} ${Y(loss) - 5}l10 10m0 -10l-10 10`, 'class="naive" stroke-width="3"') +
          text(X(t) + 10, Y(loss) + 4, `dead: ${BOXES[broken]}`, "start"));

      // The gaps: the right samples, then those up to each edge
      second.innerHTML = path("8 164H288") + text(24, 180, "right") + text(87, 180, "gap") +
        path("162 20V164", 'stroke-dasharray="6 3"') + text(168, 28, "p below ε", "start") +
        EDGES.map((edge, i) => {
          const bin = samples.filter(({ gap }) => gap <= edge && !(gap <= EDGES[i - 1]));
          const lost = bin.filter((s) => s.lost).length;
          const bar = (from, n, more) => n ? path(`${14 + 25 * i} ${164 - from * 1.4}h21v${-n * 1.4}h-21z`, more) : "";
          return (i % 2 ? text(37 + 25 * i, 180, show(edge, 3)) : "") +
            bar(0, bin.length - lost, `class="${i ? "stable" : "roundoff"}" fill="currentColor"`) +
            bar(bin.length - lost, lost, 'class="naive" stroke-width="2" stroke-dasharray="4 3"') +
            (bin.length ? text(24.5 + 25 * i, 159 - bin.length * 1.4, bin.length) : "");
        }).join("");
    }
  }
  customElements.define("explore-network", Network);
})();
