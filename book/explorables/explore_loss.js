/* <explore-loss>: from three logits and a label to the loss, its gradient, and what the calls of
   PyTorch, MXNet and Gluon return. The calls are not made: the formula of each is computed here. */
(() => {
  "use strict";
  const {
    formats, round, ops, Explorable, show, showExact, showProbability, exact, negative, nearest,
    error, ulpError, softmaxShifted, crossEntropy, crossEntropyGradient,
    logSoftmaxTwoStep, logSoftmaxEpsilon, logSoftmaxClamped, logSoftmaxShifted, logSoftmaxLog1p,
  } = StableSoftmax;

  const fromLogits = (x, y, f) => crossEntropy(logSoftmaxShifted, x, y, f);

  /** What is computed: [name, formula, function of the logits x, the label y and the format f]. */
  const FORMS = [
    ["log(softmax)", "−log(p<sub>y</sub>)", (x, y, f) => crossEntropy(logSoftmaxTwoStep, x, y, f)],
    ["log(softmax + ε)", "−log(p<sub>y</sub> + 1e-7)", (x, y, f) => crossEntropy(logSoftmaxEpsilon, x, y, f)],
    ["MXNet <code>nd.softmax_cross_entropy</code> of logits", "−log(max(p<sub>y</sub>, 1e-8))",
      (x, y, f) => crossEntropy(logSoftmaxClamped, x, y, f, 1e-8)],
    ["PyTorch <code>NLLLoss</code>, Gluon <code>from_logits=True</code>, of log-probabilities",
      "−z<sub>y</sub> from z = (x − m) − log s", fromLogits],
    ["PyTorch <code>CrossEntropyLoss</code>, Gluon's default, of logits", "the same in one call", fromLogits],
    ["ours, log1p", "the same with log1p", (x, y, f) => crossEntropy(logSoftmaxLog1p, x, y, f)],
    ["<code>CrossEntropyLoss</code>, Gluon's default, of probabilities", "mistake: softmax twice",
      (x, y, f) => fromLogits(softmaxShifted(x, f), y, f)],
    ["<code>NLLLoss</code>, <code>from_logits=True</code>, of logits", "mistake: −x<sub>y</sub>", (x, y) => -x[y]],
    ["<code>NLLLoss</code>, <code>from_logits=True</code>, of probabilities", "mistake: −p<sub>y</sub>",
      (x, y, f) => -softmaxShifted(x, f)[y]],
  ];

  /** What to think of a computed loss, in words: right is what errs by a few roundings. */
  function verdict(loss, truth, f) {
    if (Number.isNaN(loss)) return "nan";
    if (ulpError(loss, truth, f) <= 4) return "right";
    if (loss < 0) return "negative";
    if (loss === 0) return "zero";
    if (loss === Infinity) return "infinite";
    const digits = Math.floor(-Math.log10(error(loss, truth) / nearest(truth)));
    if (digits > 1) return `right to ${digits} digits`;
    return loss < nearest(truth) ? "too small" : "too large";
  }

  /** p - y with the label's entry added up from the others, which keeps its digits. */
  function complement(x, label, f) {
    const p = softmaxShifted(x, f);
    const others = p.map((v, i) => (i === label ? 0 : v));
    return p.map((v, i) => (i === label ? -ops(f).sum(others) : v));
  }

  const WIDTH = 40; // of a bar for the size 1
  const arrow = (g) => `<svg viewBox="-41 0 82 8" width="82" height="8" aria-hidden="true">
    <g class="stable" stroke="currentColor"><path d="M0 0V8"/><path d="M0 4H${g * WIDTH || 0}" stroke-width="6"/></g></svg>`;

  class Loss extends Explorable {
    template() {
      const logit = (i, value) =>
        this.range(`x${i}`, `Logit of class ${i}`, { min: -100, max: 100, step: 1, value, limit: 10000 });
      const sample = (x0, x1, x2, label, format = "fp32") => ({ x0, x1, x2, label, format });
      return `${this.examples({
        usual: sample(2, 1, 0.1, 0),
        "badly wrong": sample(1000, 1, -1000, 2),
        "subnormal p": sample(100, 0, -1000, 1),
        sure: sample(17, 0, -1000, 0),
      })}
        ${logit(0, 21)}${logit(1, 1)}${logit(2, -20)}
        ${this.select("label", "Label", { 0: "class 0", 1: "class 1", 2: "class 2" }, "1")}
        ${this.select("format", "Format", { fp64: "fp64", fp32: "fp32" }, "fp32")}
        ${this.sentence()}
        ${this.table("Probabilities and gradient, to five digits", ["class", "p", "p − y", "complement"])}
        ${this.table("What each form returns, to five digits", ["form", "loss", "verdict"])}`;
    }

    update() {
      const f = formats[this.control("format").value];
      const label = this.number("label");
      const x = [0, 1, 2].map((i) => round(this.number(`x${i}`), f));
      const p = softmaxShifted(x, f);
      const gradient = crossEntropyGradient(x, label, f);
      const careful = complement(x, label, f);
      const reference = exact(x);
      const truth = negative(reference.logp[label]);
      const [exactP, rest] = [reference.p[label], reference.complement[label]];
      this.rows(x.map((_, i) => [
        `${i}${i === label ? " (label)" : ""}`,
        { text: show(p[i]), bar: p[i], role: "stable" },
        `${show(gradient[i])}<br>${arrow(gradient[i])}`,
        show(careful[i]),
      ]));

      const losses = FORMS.map(([name, formula, loss]) => [name, formula, loss(x, label, f)]);
      const verdicts = losses.map(([, , loss]) => verdict(loss, truth, f));
      this.rows([
        ["exact", showExact(truth), "right"],
        ...losses.map(([name, formula, loss], i) => [`${name}<br><small>${formula}</small>`, show(loss), verdicts[i]]),
      ], 1);
      this.say(
        `The label, class ${label}, has the exact probability ${showProbability(exactP, rest)} ` +
        `and the loss ${showExact(truth)}; its logit has the gradient ${showExact(negative(rest))}. ` +
        `In ${f.name}: log(softmax) ${verdicts[0]}, with epsilon ${verdicts[1]}, from logits ${verdicts[4]}, ` +
        `log1p ${verdicts[5]}, softmax twice ${verdicts[6]}.`
      );
    }
  }
  customElements.define("explore-loss", Loss);
})();
