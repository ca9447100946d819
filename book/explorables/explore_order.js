/* <explore-order>: a log-softmax in two orders, on two rulers whose ticks are the numbers of a format. */
(() => {
  "use strict";
  const {
    formats, ulp, round, ops, Explorable, show, showExact, exact, nearest, error, ulpError,
    logSoftmaxFromLogsumexp, logSoftmaxShifted, text, path, handle, between,
  } = StableSoftmax;
  const UNIT = 110; // of a ruler, for the distance 1
  const [LEFT, RIGHT] = [8, 332];
  const LOST = 1 / 4; // of a value: even in e5m2, with three bits, one ulp is not more

  class Order extends Explorable {
    picture = { power: 24 };

    template() {
      const options = Object.fromEntries(Object.values(formats).map((f) => [f.name, f.label]));
      return `${this.examples({
        "offset 1": { power: 0, gap: 0 },
        "offset 2¹⁰": { power: 10, gap: 0 },
        "offset 2²⁷": { power: 27, gap: 0 },
        "offset 2⁵³": { power: 53, gap: 0 },
        "gap of 5": { power: 10, gap: 5 },
      })}
      ${this.drawing(340, 223)}
      ${this.range("power", "Offset = 2 to the power", { min: 0, max: 60, step: 1, value: 8, fine: 1 })}
      ${this.range("gap", "Gap of the logits", { min: 0, max: 20, step: 0.5, value: 0 })}
      <div class="columns">
        ${this.select("format", "Format of the rulers", options, "fp32")}
        ${this.select("sign", "Sign of the offset", { 1: "plus", "-1": "minus" }, "1")}
      </div>
      ${this.sentence(270)}
      ${this.folded("All formats", this.table("Log-probability of the second logit; a bar shows how many of its digits are lost", [
        "format", "exact", "x − (m + log s)", "error", "ulp", "(x − m) − log s", "error", "ulp",
      ]))}`;
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
        return { f, x, gap: x[0] - x[1], truth, wrong, right: measure(logSoftmaxShifted(x, f)[1]) };
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
      const shown = results.find(({ f }) => f.name === this.control("format").value);
      this.form.querySelector("svg").innerHTML = shown.truth ? this.rulers(shown)
        : text(170, 60, `No logits of this size exist in ${shown.f.name}.`);
    }

    rulers({ f, x: [m, label], truth, wrong, right }) {
      const { add, sub, exp, log } = ops(f);
      const z = sub(label, m);
      const part = log(add(1, exp(z)));
      const space = ulp(m, f);
      const d = between(LEFT, 90 + Math.max(space * UNIT, 14), RIGHT - 8);
      return this.ruler(f, m, part, add(m, part), 90, 56, "m", "naive") +
        path(`M${d} 64l-5 8h10z`, "", `fill="currentColor"`) + handle(d, 66, "power") +
        text(LEFT, 12, `m + log s: near m the numbers are ${show(space, 3)} apart`, "start") +
        text(LEFT, 103, `x − (m + log s) = ${show(wrong.y)}`, "start", `class="naive" font-weight="700"`) +
        text(RIGHT, 103, `exact: ${showExact(truth)}`, "end") +
        this.ruler(f, z, -part, sub(z, part), 250, 172, show(z), "stable") +
        text(LEFT, 127, `(x − m) − log s: near ${show(z - part, 3)} they are ${show(ulp(z - part, f), 3)} apart`, "start") +
        text(LEFT, 219, `(x − m) − log s = ${show(right.y)}`, "start", `class="stable" font-weight="700"`) +
        text(RIGHT, 219, `exact: ${showExact(truth)}`, "end");
    }

    /** The numbers of a format around a start; an arrow goes from there to where a number is meant,
        and is bent to the nearest one. */
    ruler(f, start, part, end, x0, y, name, role) {
      const X = (v) => x0 + (v - start) * UNIT;
      let svg = path(`M${LEFT} ${y}H${RIGHT}`);
      let dense = `M${x0} ${y}`;
      for (const side of [1, -1]) {
        for (let v = start, x = x0, last = x0; x >= LEFT && x <= RIGHT; ) {
          const near = v + (side * ulp(v, f)) / 2; // a number only below a power of two
          const next = near !== v && round(near, f) === near ? near : v + side * ulp(v, f);
          const wide = Math.abs(X(next) - x);
          if (wide < 3) { // too dense to be drawn
            v = round(v + (side * 3) / UNIT, f);
            dense += `M${x} ${y}H${between(LEFT, X(v), RIGHT)}`;
          } else {
            v = next;
            svg += path(`M${X(v)} ${y - 7}v14`, "", `stroke-width="2"`);
            const words = name === "m" ? `m ${v < start ? "−" : "+"} ${show(Math.abs(v - start), 3)}` : show(v, 3);
            if (Math.abs(X(v) - last) > 56 && X(v) > 24 && X(v) < 316) {
              svg += text(X(v), y + 28, words);
              last = X(v);
            }
          }
          x = X(v);
        }
      }
      const tip = x0 + part * UNIT;
      const way = Math.sign(part);
      return path(dense, "roundoff", `stroke-width="12"`) + svg + path(`M${x0} ${y - 10}v20`, "", `stroke-width="3"`) + text(x0, y + 28, name) +
        path(`M${x0} ${y - 20}H${tip}${part ? `l${-6 * way} -5m0 10l${6 * way} -5` : ""}`, role, `stroke-width="3"`) +
        text((x0 + tip) / 2, y - 27, "log s", "middle", `class="${role}"`) +
        path(`M${tip} ${y - 18}L${between(LEFT, X(end), RIGHT)} ${y}`, role, `stroke-width="2" stroke-dasharray="3 3"`) +
        `<circle class="${role}" cx="${between(LEFT, X(end), RIGHT)}" cy="${y}" r="6" fill="currentColor"/>` +
        handle(tip, y - 20, way < 0 ? "back" : "gap");
    }

    /** The first tick stretches the ruler; a tip changes log s = log(1 + exp(-gap)). */
    drag(name, x) {
      const { precision } = formats[this.control("format").value];
      if (name === "power") return { power: between(0, Math.round(Math.log2(Math.max(x - 90, 1e-3) / UNIT)) + precision - 1, 60) };
      const part = between(1e-9, (name === "gap" ? x - 90 : 250 - x) / UNIT, Math.LN2);
      return { gap: between(0, Math.round(-2 * Math.log(Math.expm1(part))) / 2, 20) };
    }
  }

  customElements.define("explore-order", Order);
})();
