/* <explore-order>: a log-softmax in two orders, beside a common offset. */
(() => {
  "use strict";
  const { formats, round, Explorable, show, showExact, exact, nearest, error, ulpError,
    logSoftmaxFromLogsumexp, logSoftmaxShifted } = StableSoftmax;

  class ExploreOrder extends Explorable {
    template() {
      return `${this.examples({
        "no offset": { power: 0, gap: 0 },
        "a thousand": { power: 10, gap: 0 },
        "a hundred million": { power: 27, gap: 0 },
        "gap of 5": { power: 10, gap: 5 },
      })}
      ${this.range("power", "Offset, a power of 2", { min: 0, max: 40, step: 1, value: 8, fine: 1 })}
      ${this.select("sign", "Sign of the offset", { 1: "plus", "-1": "minus" }, "1")}
      ${this.range("gap", "Gap of the logits", { min: 0, max: 20, step: 0.5, value: 0 })}
      ${this.sentence()}
      ${this.table("Log-probability of the second logit; a bar shows how many of its digits are lost", [
        "format", "exact", "x − (m + log s)", "error", "ulp", "(x − m) − log s", "error", "ulp",
      ])}`;
    }

    update() {
      const power = this.number("power");
      const offset = Number(this.control("sign").value) * 2 ** power;
      const results = Object.values(formats).map((f) => {
        const x = [offset, offset - this.number("gap")].map((v) => round(v, f));
        if (!x.every(Number.isFinite)) return { f };
        const truth = exact(x).logp[1];
        const measure = (y) => ({ y, error: error(y, truth), ulp: ulpError(y, truth, f) });
        const wrong = measure(logSoftmaxFromLogsumexp(x, f)[1]);
        return { f, truth, wrong, right: measure(logSoftmaxShifted(x, f)[1]) };
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
      const lost = held.filter((r) => r.wrong.error > -0.1 * nearest(r.truth));
      const worst = Math.max(...held.map((r) => r.right.ulp));
      const beyond = results.filter((r) => !r.truth);
      this.say([
        `The offset is ${offset.toLocaleString("en-US").replace("-", "−")}.`,
        `x\u00a0−\u00a0(m\u00a0+\u00a0log\u00a0s) has ${lost.length ? `no right digit left in ${names(lost)}` : "right digits in every format"};`,
        `(x\u00a0−\u00a0m)\u00a0−\u00a0log\u00a0s errs by at most ${show(worst, 2)} ulp.`,
        beyond.length ? `No logits of this size exist in ${names(beyond)}.` : "",
      ].join(" "));
    }
  }

  customElements.define("explore-order", ExploreOrder);
})();
