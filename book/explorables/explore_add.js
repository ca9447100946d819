/* <explore-add>: equal terms are added step by step, on a line of the numbers of a format. */
(() => {
  "use strict";
  const { formats, ulp, round, Player, show, showExact, nearest, exactly, text, path, handle, between } = StableSoftmax;
  const { big, add, sub, exp } = exactly;
  const long = (x) => show(x, 8);
  const plus = (x) => `${x < 0 ? "−" : "+"} ${long(Math.abs(x))}`;
  const some = (count) => count.toLocaleString("en-US");

  /** For each step: the sum after it, what it added, the number of terms, and Kahan's carry. By
      halves, as sum_pairwise of the package, a step is a round, and the sum the first partial sum. */
  function sums(steps, all, at, order, f, wide) {
    const [held, added, terms, carry] = [1, 2, 3, 4].map(() => new Float64Array(steps + 1));
    const parts = new Float64Array(order === "halves" ? all : 0).map((_, i) => at(i));
    const sizes = parts.map(() => 1);
    for (let step = 1, n = all; step <= steps; step += 1) {
      if (order === "halves") {
        const half = step > 1 ? n >> 1 : 0;
        added[step] = parts[half];
        for (let i = 0; i < half; i += 1) {
          parts[i] = round(parts[i] + parts[half + i], f);
          sizes[i] += sizes[half + i];
        }
        for (const list of [parts, sizes]) list.copyWithin(half, 2 * half, n);
        n -= half;
        [held[step], terms[step]] = [parts[0], sizes[0]];
      } else {
        const before = held[step - 1];
        const term = at(step - 1);
        added[step] = order === "kahan" ? round(term - carry[step - 1], f) : term;
        held[step] = round(before + added[step], wide);
        terms[step] = step;
        if (order === "kahan") carry[step] = round(round(held[step] - before, f) - added[step], f);
      }
    }
    return { held, added, terms, carry };
  }

  class Add extends Player {
    parts = ["count", "term", "as", "one", "format", "order"];
    picture = { step: 10000 };

    template() {
      const sum = (count, term, format, as = "number", one = "") =>
        ({ count, term, as, one, format, order: "left", step: 0 });
      const names = Object.values(formats).slice(1).map((f) => [f.name, f.label]);
      return `${this.examples({
        "10,000 ones in bf16": sum(10000, 1, "bf16"),
        "3000 ones in fp16": sum(3000, 1, "fp16"),
        "1 + 50,000 · exp(−16.7) in fp32": sum(50000, -16.7, "fp32", "exp", "first"),
        "rounding 0.1": sum(1, 0.1, "bf16"),
        "a subnormal": sum(1, -16.7, "fp16", "exp"),
      })}
      <div class="columns">
        ${this.range("count", "Terms", { min: 1, max: 100000, value: 10000, fine: 1 })}
        ${this.range("term", "Value", { limit: 10000, value: 1 })}
        ${this.select("as", "Each term is", { number: "the value", exp: "e to the value" }, "number")}
        ${this.select("one", "And a single 1", { "": "no", first: "comes first", last: "comes last" }, "")}
        ${this.select("format", "Format", Object.fromEntries(names), "bf16")}
        ${this.select("order", "Order", {
          left: "left to right", halves: "by halves", kahan: "Kahan", wide: "in a wider format",
        }, "left")}
      </div>
      ${this.player(10000)}
      ${this.drawing(340, 232)}
      ${this.sentence(190)}
      ${this.table("The sum so far, and what storing and adding have lost", ["terms", "exact", "computed", "storing", "adding"])}`;
    }

    draw(step) {
      const terms = this.terms[step];
      const sum = round(this.held[step], this.f);
      const exact = this.exact(terms);
      const finite = Number.isFinite(sum + this.stored);
      const lost = (a, b) => {
        const v = sub(a, b);
        return v.n ? { text: showExact(v, 3), bar: Math.min(1, Math.abs(nearest(v) / nearest(exact))), role: "second" } : "0";
      };
      const stored = finite && terms && this.exact(terms, big(this.stored));
      this.rows([[
        some(terms), showExact(exact, 8), long(sum),
        ...(stored ? [lost(exact, stored), lost(stored, big(sum))] : ["", ""]),
      ]]);
      this.say(this.words(step, sum, exact));
      this.form.querySelector("svg").innerHTML =
        (finite && step ? this.line(step, sum) : text(170, 60, `the sum is ${long(sum)}`)) + this.history(step);
    }

    begin(count, term, as, one, format, order) {
      const f = formats[format];
      const all = Number(count) + (one ? 1 : 0);
      const typed = (as === "exp" ? exp : (v) => v)(big(Number(term)));
      const stored = nearest(typed, f);
      const wide = order !== "wide" ? f : f.name === "fp32" ? formats.fp64 : formats.fp32;
      const at = (i) => (one && i === (one === "last" ? all - 1 : 0) ? 1 : stored);
      /** The exact sum of the first terms. */
      const exact = (terms, v = typed) => {
        const ones = one && terms && (one === "first" || terms === all) ? 1 : 0;
        return add({ n: v.n * BigInt(terms - ones), k: v.k }, big(ones));
      };
      const steps = order === "halves" ? 1 + Math.ceil(Math.log2(all)) : all;
      Object.assign(this, { f, wide, order, one, all, exact, stored }, sums(steps, all, at, order, f, wide));
      return steps;
    }

    /** What the last step did. */
    words(step, sum, exact) {
      const { f, wide, order, one, all, steps } = this;
      const goal = showExact(this.exact(all), 8);
      if (!step) return `The exact sum will be ${goal}. Press “Step” to see where a term falls.`;
      if (!Number.isFinite(sum)) return `The sum is ${long(sum)}, because ${f.name} ends at ${show(f.largest)}.`;
      const [before, after] = this.held.slice(step - 1, step + 1);
      const [term, terms, carry] = [this.added[step], this.terms[step], this.carry[step]];
      const space = ulp(before, wide);
      const error = sub(step > 1 ? add(big(before), big(term)) : exact, big(after));
      const said = [];
      if (order === "halves" && step > 1) said.push(`Round ${step - 1}: a partial sum has up to ${some(terms)} terms.`);
      const sentence = `${long(before)} ${plus(step > 1 ? term : nearest(exact))} = ${long(after)}`;
      if (after === before && term) {
        said.push(`Lost: ${sentence}, because the term is ${
          Math.abs(term) * 2 === space ? `half the spacing ${show(space)}, and the tie goes to the even number` : `less than half the spacing ${show(space)}`}.`);
        if (order === "left" && step < steps && one !== "last") said.push("All further terms are lost as well.");
      } else {
        said.push(`${sentence}, ${error.n ? `the nearest number, ${showExact(error, 3).replace("−", "")} off` : "without an error"}.`);
        if (sum && Math.abs(sum) < f.smallestNormal) said.push("The number is subnormal: it has fewer digits.");
      }
      if (carry) said.push(`Kahan keeps ${long(-carry)} for the next term.`);
      if (wide !== f) said.push(`This is the sum in ${wide.name}; in ${f.name} it is ${long(sum)}.`);
      if (step === steps && all > 1) {
        const wrong = Math.abs(nearest(sub(exact, big(sum))) / nearest(exact));
        said.push(`The end: ${long(sum)} instead of ${goal}, ${
          sum === nearest(exact, f) ? "the nearest number" : `wrong by ${show(100 * wrong, 2)} %`}.`);
      }
      return said.join(" ");
    }

    /** The numbers around the sum. The spacing at the sum is always drawn 44 wide. */
    line(step, sum) {
      const { f, exact } = this;
      const X = (v) => 170 + Math.max(-166, Math.min(((v - sum) / ulp(sum, f)) * 44, 166));
      const half = (v) => long(v).length * 3.5;
      let svg = path("M4 62H336M170 90v6h44v-6") + text(192, 108, `spacing (ulp) ${show(ulp(sum, f))}`) + text(170, 82, long(sum));
      for (const side of [1, -1]) {
        let end = 170 + side * half(sum); // of the last label
        for (let v = sum; Math.abs(X(v) - 170) < 166 && Number.isFinite(v);) {
          svg += path(`M${X(v)} 56V68`);
          if (side * (X(v) - end) > half(v) + 3 && side * (X(v) - 170) + half(v) < 170) {
            svg += text(X(v), 82, long(v));
            end = X(v) + side * half(v);
          }
          const near = v + (side * ulp(v, f)) / 2; // a number only below a power of two
          v = round(near, f) === near ? near : v + side * ulp(v, f);
        }
      }
      const [before, after] = this.held.slice(step - 1, step + 1);
      const target = step > 1 ? before + this.added[step] : nearest(exact(1));
      const [from, to] = [X(before), X(target)];
      svg += path(`M${from} 30H${to}l${to > from ? "-4 -4m0 8l4 -4" : "4 -4m0 8l-4 -4"}M${to} 34V56`, "first") +
        text(Math.max(50, Math.min((from + to) / 2, 290)), 22, plus(target - before));
      if (after === sum && Math.abs(to - 170) > 2) {
        svg += path(`M${to} 46H170`, "second") + text(to + Math.sign(to - 170) * 18, 50, after === before ? "lost" : "error");
      }
      return `${svg}<circle cx="170" cy="62" r="4" fill="currentColor"/><circle cx="${X(after)}" cy="62" r="4"/>`;
    }

    /** The exact and the computed sum over the number of terms. */
    history(step) {
      const { f, held, terms, exact, all, one, order } = this;
      if (all === 1) return "";
      const first = one === "first" ? 1 : 0;
      const at = (i) => nearest(exact(i));
      const high = at(all);
      const low = first && high < 2 ? 1 : 0;
      const X = (i) => 8 + (i / all) * 324;
      const Y = (v) => Math.max(120, 212 - ((v - low) / (high - low)) * 80) || 120; // inf, nan: at the top
      let svg = path("M8 128V212H332") + text(12, 226, show(low)) + text(332, 226, `${some(all)} terms`, "end");
      if (step > first) {
        const end = terms[step];
        const steps = Array.from({ length: 99 }, (_, i) => first + Math.round(((step - first) * i) / 98));
        const line = steps.map((i) => `${X(terms[i])} ${Y(round(held[i], f))}`);
        const [right, got] = [Y(at(end)), Y(round(held[step], f))];
        svg += path(`M${X(first)} ${Y(at(first))}L${X(end)} ${right}`, "roundoff") +
          path(`M${line.join("L")}`, order === "left" ? "in-order" : "in-blocks");
        if (got - right > 40) svg += text(X(end) - 24, right + 4, "exact", "end") + text(X(end), got - 5, "computed", "end");
      }
      const [x, y] = [X(terms[step]), between(120, Y(round(held[step], f)), 212)];
      return `${svg}<circle cx="${x}" cy="${y}" r="5" fill="currentColor"/>${handle(x, y, "step")}`;
    }
    /** The computed sum can be dragged along. */
    drag(_, x) {
      const want = between(0, Math.round(((x - 8) / 324) * this.all), this.all);
      return { step: this.terms.findIndex((count) => count >= want) };
    }
  }
  customElements.define("explore-add", Add);
})();
