/* <explore-order>: a log-softmax in two orders, beside a common offset. */
(() => {
  "use strict";
  const {
    formats, round, Explorable, show, showExact, exact, nearest, error, ulpError,
    logSoftmaxFromLogsumexp, logSoftmaxShifted,
  } = StableSoftmax;
  const LOST = 1 / 4; // of a value: even in e5m2, with three bits, one ulp is not more

  class Order extends Explorable {
    template() {
      return `${this.examples({
        "offset 1": { power: 0, gap: 0 },
        "offset 2¹⁰": { power: 10, gap: 0 },
        "offset 2²⁷": { power: 27, gap: 0 },
        "offset 2⁵³": { power: 53, gap: 0 },
        "gap of 5": { power: 10, gap: 5 },
      })}
      ${this.range("power", "Offset = 2 to the power", { min: 0, max: 60, step: 1, value: 8, fine: 1 })}
      ${this.select("sign", "Sign of the offset", { 1: "plus", "-1": "minus" }, "1")}
      ${this.range("gap", "Gap of the logits", { min: 0, max: 20, step: 0.5, value: 0 })}
      ${this.sentence()}
      ${this.table("Log-probability of the second logit; a bar shows how many of its digits are lost", [
        "format", "exact", "x − (m + log s)", "error", "ulp", "(x − m) − log s", "error", "ulp",
      ])}`;
    }

    update() {
      const offset = this.number("sign") * 2 ** this.number("power");
      const gap = this.number("gap");
      const results = Object.values(formats).map((f) => {
        const x = [offset, offset - gap].map((v) => round(v, f));
        if (!x.every(Number.isFinite)) return { f };
        const truth = exact(x).logp[1];
        const measure = (y) => ({ y, error: error(y, truth), ulp: ulpError(y, truth, f) });
        const wrong = measure(logSoftmaxFromLogsumexp(x, f)[1]);
        return { f, gap: x[0] - x[1], truth, wrong, right: measure(logSoftmaxShifted(x, f)[1]) };
      });
      const cells = (role, f, { y, error, ulp }) => [
        show(y),
        show(error, 2),
        { text: show(ulp, 2), bar: Math.min(1, Math.log2(Math.max(1, ulp)) / f.precision), role },
      ];
      this.rows(results.map(({ f, truth, wrong, right }) => [
        f.name,
        ...(truth
          ? [showExact(truth), ...cells("naive", f, wrong), ...cells("stable", f, right)]
          : Array(7).fill("none")),
      ]));
      const names = (list) => list.map((r) => r.f.name).join(", ");
      const held = results.filter((r) => r.truth);
      const lost = held.filter((r) => r.wrong.error > -LOST * nearest(r.truth));
      const worst = Math.max(...held.map((r) => r.right.ulp));
      const beyond = results.filter((r) => !r.truth);
      const changed = held.filter((r) => show(r.gap) !== show(gap)).map((r) => `${show(r.gap)} in ${r.f.name}`);
      this.say([
        `The offset is ${BigInt(offset).toLocaleString("en-US").replace("-", "−")}.`,
        `x\u00a0−\u00a0(m\u00a0+\u00a0log\u00a0s) is wrong by more than a quarter in ${lost.length ? names(lost) : "no format"};`,
        `(x\u00a0−\u00a0m)\u00a0−\u00a0log\u00a0s errs by up to ${show(worst, 2)} ulp.`,
        changed.length ? `Once rounded, the logits differ by ${changed.join(", ")}.` : "",
        beyond.length ? `No logits of this size exist in ${names(beyond)}.` : "",
      ].filter(Boolean).join(" "));
    }
  }

  customElements.define("explore-order", Order);
})();
