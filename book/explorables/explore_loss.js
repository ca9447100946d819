/* <explore-loss>: from three logits and a label to the loss, its gradient, and what the calls of
   PyTorch, MXNet and Gluon return; and from a loss back to the calls that return it. No call is
   made: the formula of each is computed here. */
(() => {
  "use strict";
  const {
    formats, round, ops, Explorable, show, showExact, showProbability, exact, negative, nearest,
    error, ulpError, softmaxShifted, crossEntropy, crossEntropyGradient,
    logSoftmaxTwoStep, logSoftmaxEpsilon, logSoftmaxClamped, logSoftmaxShifted, logSoftmaxLog1p,
    text, path, box, handle, between,
  } = StableSoftmax;

  const fromLogits = (x, y, f) => crossEntropy(logSoftmaxShifted, x, y, f);

  /** What is computed: [name, formula, function of the logits x, the label y and the format f]. */
  const FORMS = [
    ["log(softmax)", "−log(p<sub>y</sub>)", (x, y, f) => crossEntropy(logSoftmaxTwoStep, x, y, f)],
    ["log(softmax + ε)", "−log(p<sub>y</sub> + 1e−7)", (x, y, f) => crossEntropy(logSoftmaxEpsilon, x, y, f)],
    ["MXNet <code>nd.softmax_<wbr>cross_<wbr>entropy</code> of logits", "−log(max(p<sub>y</sub>, 1e−8))",
      (x, y, f) => crossEntropy(logSoftmaxClamped, x, y, f, 1e-8)],
    ["PyTorch <code>NLLLoss</code>, Gluon <code>from_logits=True</code>, of log-probabilities",
      "−z<sub>y</sub> from z = (x − m) − log s", fromLogits],
    ["PyTorch <code>CrossEntropyLoss</code>, Gluon’s default, of logits", "the same in one call", fromLogits],
    ["ours, log1p", "the same with log1p", (x, y, f) => crossEntropy(logSoftmaxLog1p, x, y, f)],
    ["<code>CrossEntropyLoss</code>, Gluon’s default, of probabilities", "mistake: softmax twice",
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

  // From a loss back to its call

  const LOGITS = "`F.cross_entropy(logits, labels)`";
  const known = (v, half) => half < 0.006 * v; // else two digits would accuse too many
  const whole = (n) => n > 1 && n < 1e6 && Math.abs(n - Math.round(n)) < 0.5 && Math.round(n);
  /** The number n for which count(loss) is n to the digits typed, if there is just one. */
  const only = (count) => (v, half) => {
    const n = known(v, half) && whole(count(v));
    return n && Math.abs(count(v + half) - count(v - half)) < 1 && Math.abs(count(v) - n) <= Math.abs(count(v + half) - count(v)) && n;
  };
  const near = (number) => (v, half) => Math.abs(v - number) <= half && known(v, half);

  /** What returns a loss v that is known up to half a digit: [which losses, call, reason, fix, place].
      What a test finds out, such as a number of classes, stands at # in the reason. */
  const CAUSES = [
    [Number.isNaN, "the logarithm of a naive softmax", "a logit is above log Ω, and inf / inf is nan", LOGITS, "overflow#the-exponential-reaches-the-end-first"],
    [Number.isNaN, "any loss of a row of −inf", "all its classes are masked, and −inf − (−inf) is nan", "leave the row out", "special_values#minus-infinity-and-a-row-of-zeros"],
    [Number.isNaN, "`−(y * log(p)).sum()`", "0 · log 0 is nan, even for a class that is not the label", LOGITS, "special_values#six-rules-of-arithmetic"],
    [Number.isNaN, "the mean of no samples", "every label is ignored, and 0 / 0 is nan", '`reduction="sum"`, and divide by at least 1', "pytorch#samples-and-classes-that-do-not-count"],
    [(v) => v === Infinity, "`−log(softmax(logits))`", "the p of a label underflows to 0", LOGITS, "epsilon#the-logarithm-of-a-zero"],
    [(v) => v === Infinity, "any loss of a label whose logit is −inf", "the label is masked: the loss is right, and the label wrong", "correct the label", "cross_entropy#a-masked-label-has-an-infinite-loss"],
    [(v) => v === 0, LOGITS, "1 + e⁻¹⁷ is 1 in fp32: the sample is sure, and its small loss has been rounded away", "the log1p form", "cross_entropy#a-sure-sample"],
    [(v) => v < 0 && v >= -1e-4, "a log-softmax whose log s has an error", "the log-probability of a sure label comes out above 0", "float64, or the log1p form", "mxnet#look-inside"],
    [(v) => v < 0, "`NLLLoss`, or `from_logits=True`, of logits", "it returns −x of the label", LOGITS, "pytorch#one-loss-under-four-names"],
    [(v) => v < 0 && v >= -1, "`NLLLoss`, or `from_logits=True`, of probabilities", "it returns −p of the label", LOGITS, "pytorch#one-loss-under-four-names"],
    [near(100), "`BCELoss`", "it clamps log p at −100, and the gradient is gone", "`BCEWithLogitsLoss()(logits, targets)`", "epsilon#the-constant-inside-pytorch"],
    [near(-Math.log(1e-8)), "`mx.nd.softmax_cross_entropy`", "it clamps p at 1e−8", "`gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels)`", "epsilon#the-constant-inside-pytorch"],
    [near(23 * Math.LN2), "`Categorical(probs)`", "it clamps p at the epsilon of fp32, 2⁻²³", "`Categorical(logits=logits)`", "epsilon#the-constant-inside-pytorch"],
    [near(52 * Math.LN2), "`sklearn.metrics.log_loss`", "it clips p at the epsilon of fp64, 2⁻⁵²", "the loss of the logits", "epsilon#a-floor-under-the-probability"],
    [near(16.640625), "`−log(softmax(logits))` in fp16", "p is the smallest number of fp16, 2⁻²⁴, and the next loss is inf", LOGITS, "epsilon#the-logarithm-of-a-zero"],
    [near(149 * Math.LN2), "`−log(softmax(logits))` in fp32", "p is the smallest number of fp32, 2⁻¹⁴⁹, and the next loss is inf", LOGITS, "epsilon#the-logarithm-of-a-zero"],
    [(v, half) => [...Array(20).keys()].find((k) => k > 2 && near(k * Math.LN10)(v, half)), "`−log(softmax(logits) + ε)`, or p clamped at ε", "p is 0, and ε is 1e−#: this is −log ε, and the gradient is gone", LOGITS, "epsilon#a-floor-under-the-probability"],
    [only(Math.exp), "any loss of equal logits", "each of # classes gets 1/#: nothing has been learned yet, or nothing arrives", "look at the inputs, not at the loss", "cross_entropy#the-loss-needs-no-probability"],
    [only((v) => 1 + Math.E * Math.expm1(v)), "`CrossEntropyLoss`, or Gluon’s default, of probabilities", "softmax twice: with # classes no sample gets below this", LOGITS, "softmax#a-softmax-after-a-softmax"],
    [only((v) => 1 + Math.exp(v) - Math.E), "`CrossEntropyLoss`, or Gluon’s default, of probabilities", "softmax twice: with # classes no sample gets above this", LOGITS, "softmax#a-softmax-after-a-softmax"],
  ];

  /** A loss as printed, and half a unit of its last digit. */
  function read(typed) {
    const text = typed.trim().toLowerCase().replace("−", "-");
    if (/^[+-]?(nan|inf(inity)?)$/.test(text)) return { v: Number(text.replace(/inf.*/, "Infinity")) };
    const found = /^([+-]?)(\d*)\.?(\d*)(e[+-]?\d+)?$/.exec(text);
    if (!found || !(found[2] + found[3])) return {};
    const v = Number(text);
    return { v, half: 0.5 * 10 ** (Number(found[4]?.slice(1) ?? 0) - found[3].length) + Math.abs(v) * 2 ** -23 };
  }
  const code = (words) => words.replaceAll("_", "_<wbr>").replace(/`(.*?)`/g, "<code>$1</code>");

  const causes = (v, half) => CAUSES.map(([test, call, why, fix, place]) => {
    const n = test(v, half);
    const [page, section] = place.split("#");
    return n ? `<li><b>${code(call)}</b>: ${why.replaceAll("#", n)}. Fix: ${code(fix)}.
      <span class="see">See <a href="${page}.html#${section}">${section.replaceAll("-", " ").replace("pytorch", "PyTorch")}</a>.</span></li>` : "";
  }).join("");

  const HEIGHT = (v) => 88 - (Math.asinh(v) / Math.asinh(1000)) * 70; // of a logit in the picture

  class Loss extends Explorable {
    template() {
      const logit = (i, value) =>
        this.range(`x${i}`, `Logit of class ${i}`, { min: -1000, max: 1000, step: 1, value, limit: 10000 });
      const sample = (x0, x1, x2, label, format = "fp32") => ({ x0, x1, x2, label, format });
      const backwards = ["nan", "inf", "16.118", "18.42", "100", "−2", "0.5514", "2.3026"];
      const presses = this.examples({
        usual: sample(2, 1, 0.1, 0),
        "badly wrong": sample(1000, 1, -1000, 2),
        "subnormal p": sample(100, 0, -1000, 1),
        sure: sample(17, 0, -1000, 0),
      });
      const first = this.choices.length;
      this.choices.push(...backwards.map((seen) => ({ seen })));
      return `<div class="pair"><label for="${this.uid}-seen">Which loss do you see?</label>
          <input id="${this.uid}-seen" name="seen" value="16.118" maxlength="25" spellcheck="false"></div>
        <div class="examples" role="group" aria-label="Losses">${backwards
          .map((seen, i) => `<button type="button" data-choice="${first + i}">${seen}</button>`).join("")}</div>
        <div class="said"><ul aria-live="polite"></ul><ul aria-hidden="true">${causes(NaN)}</ul></div>
        <hr>
        ${presses}
        <div class="bench">
          ${this.drawing(340, 200)}
          <div>${logit(0, 21)}${logit(1, 1)}${logit(2, -20)}
          ${this.select("label", "Label", { 0: "class 0", 1: "class 1", 2: "class 2" }, "1")}
          ${this.select("format", "Format", { fp64: "fp64", fp32: "fp32" }, "fp32")}</div>
        </div>
        ${this.sentence(260)}
        ${this.folded("The gradient in digits", this.table("Probabilities and gradient, to five digits", ["class", "p", "p − y", "complement"]))}
        ${this.table("What each form returns, to five digits", ["form", "loss", "verdict"])}`;
    }

    /** Show the causes of the loss that is typed, and say which of the forms return it. */
    backwards(losses) {
      const { value } = this.control("seen");
      const { v, half = 0 } = read(value);
      if (value !== this.explained) this.form.querySelector("ul").innerHTML = v === undefined ? "<li>That is not a number that a program prints.</li>"
        : causes(v, half) || "<li>No call gives itself away by this number: a right loss can be any number from 0. Set the logits and the label below.</li>";
      this.explained = value;
      return losses.map((loss) => Object.is(loss, v) || Math.abs(loss - v) <= half);
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
        { text: show(p[i]), bar: p[i], role: "first" }, show(gradient[i]), show(careful[i]),
      ]));
      this.form.querySelector("svg").innerHTML = this.columns(x, p, gradient, label);

      const losses = FORMS.map(([name, formula, loss]) => [name, formula, loss(x, label, f)]);
      const verdicts = losses.map(([, , loss]) => verdict(loss, truth, f));
      const seen = this.backwards(losses.map(([, , loss]) => loss));
      const judged = (words) => `<span class="${/^right$/.test(words) ? "good" : /^right/.test(words) ? "" : "bad"}">${words}</span>`;
      this.rows([
        ["exact", showExact(truth), judged("right")],
        ...losses.map(([name, formula, loss], i) => [
          `${name}<br><small>${formula}</small>`, seen[i] ? `<mark>${show(loss)}</mark>` : show(loss), judged(verdicts[i]),
        ]),
      ], 1);
      this.say(
        `The label, class ${label}, has the exact probability ${showProbability(exactP, rest)} ` +
        `and the loss ${showExact(truth)}; its logit has the gradient ${showExact(negative(rest))}. ` +
        `In ${f.name}: log(softmax) ${verdicts[0]}, with epsilon ${verdicts[1]}, from logits ${verdicts[4]}, ` +
        `log1p ${verdicts[5]}, softmax twice ${verdicts[6]}.`
      );
    }

    /** The logits as columns; an arrow says where a step against the gradient moves each. */
    columns(x, p, gradient, label) {
      return path("M10 88H330") + x.map((v, i) => {
        const at = 66 + 104 * i;
        const top = between(16, HEIGHT(v), 158);
        const size = between(-1, gradient[i], 1) * 44 || 0;
        const way = Math.sign(size);
        return box(at - 22, Math.min(top, 88), 44, Math.abs(88 - top), i === label ? "first" : "roundoff", `fill="currentColor" fill-opacity="0.5" stroke="currentColor" stroke-width="2"`) +
          (Math.abs(size) < 1 ? "" : path(`M${at + 36} ${88 - size / 2}v${size}l-5 ${-6 * way}m10 0l-5 ${6 * way}`, "second", `stroke-width="3"`)) +
          path(`M${at - 6} ${top + 3}h12m-12 ${v < 0 ? -6 : 4}h12`) + handle(at, top, `x${i}`, 60, 40) +
          text(at, top + (v < 0 ? 14 : -4), show(v), "middle", `class="halo" font-weight="700"`) +
          text(at, 184, `class ${i}${i === label ? ", label" : ""}`) + text(at, 198, `p = ${show(p[i], 3)}`);
      }).join("");
    }
    drag(name, _, y) {
      const v = Math.sinh(((88 - y) / 70) * Math.asinh(1000));
      return { [name]: between(-1000, Number(v.toPrecision(2)), 1000) };
    }
  }
  customElements.define("explore-loss", Loss);
})();
