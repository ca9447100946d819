/* <explore-add>: equal terms are added step by step, on a line of the numbers of a format. */
(() => {
  "use strict";
  const { formats, ulp, round, Explorable, show, showExact, nearest, exactly } = StableSoftmax;
  const { big, add, sub, exp } = exactly;
  const long = (x) => show(x, 9);
  const some = (count) => count.toLocaleString("en-US");
  const PARTS = ["count", "term", "as", "one", "format", "order"]; // what a sum is made of

  /** After each step [sum, what was added, number of terms, Kahan's carry]. By halves, as
      sum_pairwise of the package, a step is a round, and the sum the first of the partial sums. */
  function* sums(all, at, order, f, wide) {
    yield [0, 0, 0];
    if (order === "halves") {
      let level = Array.from({ length: all }, (_, i) => [at(i), 1]);
      let added = level[0][0];
      for (;;) {
        yield [level[0][0], added, level[0][1]];
        const half = level.length >> 1;
        const others = level.splice(half, half);
        added = others[0][0];
        others.forEach(([v, terms], i) => {
          level[i] = [round(level[i][0] + v, f), level[i][1] + terms];
        });
      }
    }
    for (let i = 0, sum = 0, carry = 0; i < all; i += 1) {
      const before = sum;
      const term = order === "kahan" ? round(at(i) - carry, f) : at(i);
      sum = round(before + term, wide);
      if (order === "kahan") carry = round(round(sum - before, f) - term, f);
      yield [sum, term, i + 1, carry];
    }
  }

  const text = (x, y, words, anchor = "middle") =>
    `<text x="${x}" y="${y}" fill="currentColor" stroke="none" text-anchor="${anchor}">${words}</text>`;
  const path = (d, role = "", more = "") =>
    `<g class="${role}"><path d="${d}" stroke="currentColor" stroke-width="${role ? 2 : 1}" ${more}/></g>`;

  class Add extends Explorable {
    template() {
      const sum = (count, term, format, as = "number", one = "") =>
        ({ count, term, as, one, format, order: "left", step: 0 });
      const names = Object.values(formats).slice(1).map((f) => [f.name, f.label]);
      const buttons = { Step: "next", Play: "play", All: "rest", "From the start": "again" };
      return `${this.examples({
        "10,000 ones in bf16": sum(10000, 1, "bf16"),
        "3000 ones in fp16": sum(3000, 1, "fp16"),
        "1 + 50,000 · e⁻¹⁶·⁷ in fp32": sum(50000, -16.7, "fp32", "exp", "first"),
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
      <div class="examples" role="group" aria-label="Player">${Object.entries(buttons)
        .map(([words, go]) => `<button type="button" data-go="${go}">${words}</button>`).join("")}</div>
      ${this.range("step", "Steps", { min: 0, max: 10000, step: 1, value: 0, fine: 1 })}
      <svg viewBox="0 0 340 232" font-size="11" fill="none" stroke="currentColor" aria-hidden="true"></svg>
      ${this.sentence()}
      ${this.table("The sum so far, and what it lost when terms were stored and added", ["terms", "exact", "computed", "by storing", "by adding"])}`;
    }

    // The player

    go(step, playing) {
      for (const name of ["step", "step-slider"]) this.control(name).value = Math.min(step, this.steps);
      this.update(playing);
    }
    next() {
      this.go(this.number("step") + 1);
    }
    rest() {
      this.go(this.steps);
    }
    again() {
      this.go(0);
    }
    play() {
      if (this.timer) return this.update();
      if (this.number("step") === this.steps) this.again();
      this.timer = setInterval(() => {
        const step = Math.ceil(this.number("step") * 1.2) || 1;
        this.go(step, step < this.steps);
      }, 350);
      return this.playing(true);
    }
    /** While it plays, nothing is read aloud. */
    playing(on) {
      if (!on) this.timer = clearInterval(this.timer);
      this.form.querySelector("[data-go=play]").textContent = on ? "Pause" : "Play";
      this.form.querySelector(".sentence").ariaLive = on ? "off" : "polite";
    }
    disconnectedCallback() {
      this.playing(false);
    }

    changed(input) {
      if (PARTS.includes(input.name)) this.control("step").value = this.control("step-slider").value = 0;
      super.changed(input);
    }

    update(playing = false) {
      if (!playing) this.playing(false);
      const [count, term, as, one, format, order] = PARTS.map((name) => this.control(name).value);
      this.control("term").min = as === "exp" ? -200 : 0;
      this.control("term").max = as === "exp" ? 80 : 10000;
      const f = formats[format];
      const asked = [count, term, as, one, format, order].join();
      if (asked !== this.asked) {
        const all = Number(count) + (one ? 1 : 0);
        const typed = (as === "exp" ? exp : (v) => v)(big(Number(term)));
        const stored = nearest(typed, f);
        const wide = order !== "wide" ? f : f.name === "fp32" ? formats.fp64 : formats.fp32;
        const at = (i) => (one && i === (one === "last" ? all - 1 : 0) ? 1 : stored);
        /** The exact sum of the first terms. */
        const exact = (terms, v = typed) => {
          const ones = one && terms > 0 && (one === "first" || terms === all) ? 1 : 0;
          return add({ n: v.n * BigInt(terms - ones), k: v.k }, big(ones));
        };
        Object.assign(this, { asked, f, wide, order, one, all, exact, stored });
        this.steps = order === "halves" ? 1 + Math.ceil(Math.log2(all)) : all;
        this.kept = [];
        this.sums = sums(all, at, order, f, wide);
        for (const name of ["step", "step-slider"]) this.control(name).max = this.steps;
      }
      const step = this.number("step");
      while (this.kept.length <= step) this.kept.push(this.sums.next().value);
      const [held, , terms] = this.kept[step];
      const sum = round(held, f);
      const exact = this.exact(terms);
      const stored = this.exact(terms, big(this.stored));
      const lost = (v) =>
        v.n ? { text: showExact(v, 4), bar: Math.min(1, Math.abs(nearest(v)) / nearest(exact)), role: "naive" } : "0";
      const whole = Number.isFinite(sum);
      this.rows([[
        some(terms), showExact(exact, 9), long(sum),
        lost(sub(exact, stored)), whole ? lost(sub(stored, big(sum))) : "all",
      ]]);
      this.say(this.words(step, sum, exact));
      this.form.querySelector("svg").innerHTML =
        (whole && step ? this.line(step, sum) : text(170, 60, `the sum is ${long(sum)}`)) + this.history(step);
    }

    /** What the last step did. */
    words(step, sum, exact) {
      const { f, wide, order, one, all, steps, kept } = this;
      const goal = showExact(this.exact(all), 9);
      if (!step) return `The exact sum of ${all > 1 ? "all terms" : "the one term"} is ${goal}. Press “Step”, and see where a term falls.`;
      if (!Number.isFinite(sum)) return `The sum is ${long(sum)}, beyond ${show(f.largest)}, the largest number of ${f.name}.`;
      const before = kept[step - 1][0];
      const [after, term, terms, carry] = kept[step];
      const spacing = long(ulp(before, f));
      const error = sub(add(big(before), big(term)), big(after));
      const said = [];
      if (order === "halves" && step > 1) said.push(`Round ${step - 1}: partial sums of up to ${some(terms)} terms.`);
      if (step === 1) {
        said.push(sub(exact, big(sum)).n
          ? `${showExact(exact, 9)} lies between two numbers of ${f.name} and is stored as the nearer one, ${long(sum)}${sum < f.smallestNormal ? ", where numbers have fewer digits" : ""}.`
          : `The first term, ${long(sum)}, is a number of ${f.name}.`);
      } else if (after === before && term) {
        said.push(`Lost: ${long(before)} + ${long(term)} = ${long(after)}. The spacing is ${spacing} here, and the term is ` +
          (term * 2 === ulp(before, f) ? "half of it: the tie goes to the even number." : "less than half of it."));
        if (order === "left" && step < steps && !(one === "last")) said.push("All further terms are lost in the same way.");
      } else {
        const size = showExact(error, 4).replace("−", "");
        said.push(`${long(before)} + ${long(term)} = ${long(after)}` +
          (error.n ? `, with ${size} ${error.n > 0n ? "lost" : "too much"}: the result lies between two numbers.` : ", without an error."));
      }
      if (carry) said.push(`Kahan keeps what was lost, ${long(-carry)}, for the next term.`);
      if (wide !== f) said.push(`${wide.name} holds ${long(after)}; stored in ${f.name} it is ${long(sum)}.`);
      if (step === steps && all > 1) {
        const wrong = Math.abs(nearest(sub(exact, big(sum))));
        said.push(`The end: ${long(sum)} instead of ${goal}, ` +
          (wrong < ulp(sum, f) ? "right to the last digit." : `wrong by ${show((100 * wrong) / nearest(exact), 2)} %.`));
      }
      return said.join(" ");
    }

    /** The numbers around the sum. The spacing at the sum is always drawn 44 wide. */
    line(step, sum) {
      const { f, kept, exact, order } = this;
      const X = (v) => 170 + Math.max(-166, Math.min(((v - sum) / ulp(sum, f)) * 44, 166));
      let svg = path("M4 62H336M170 90v6h44v-6") + text(192, 108, `spacing (ulp) ${show(ulp(sum, f))}`);
      for (const side of [1, -1]) {
        let free = side > 0 ? 166 : 170 - long(sum).length * 3.5;
        for (let v = sum; Math.abs(X(v) - 170) < 166 && Number.isFinite(v);) {
          svg += path(`M${X(v)} 56V68`);
          const half = v === sum ? 0 : long(v).length * 3.5;
          if (side * (X(v) - free) > half + 3 && Math.abs(X(v) - 170) + half < 170) {
            svg += text(X(v), 82, long(v));
            free = X(v) + side * long(v).length * 3.5;
          }
          const near = v + (side * ulp(v, f)) / 2; // a number only below a power of two
          v = round(near, f) === near ? near : v + side * ulp(v, f);
        }
      }
      const [before] = kept[step - 1];
      const [after, term] = kept[step];
      const target = step > 1 ? before + term : nearest(exact(1));
      const [from, to] = [X(before), X(target)];
      svg += path(`M${from} 30H${to}m-4 -4l4 4l-4 4M${to} 34V56`, "stable") +
        text(Math.max(50, Math.min((from + to) / 2, 290)), 22, `+ ${long(target - before)}`);
      if (order !== "wide" && Math.abs(to - 170) > 2) {
        svg += path(`M${to} 46H170`, "naive") + text(to + (to > 170 ? 4 : -4), 50, target > sum ? "lost" : "too much", to > 170 ? "start" : "end");
      }
      return `${svg}<circle cx="170" cy="62" r="4" fill="currentColor"/>` +
        (after === sum ? "" : `<circle class="stable" cx="${X(after)}" cy="62" r="4"/>`);
    }

    /** The exact and the computed sum over the number of terms. */
    history(step) {
      const { f, kept, exact, all, one, order } = this;
      if (all === 1) return "";
      const first = one === "first" ? 1 : 0;
      const [low, high] = [first && nearest(exact(all)) < 2 ? 1 : 0, nearest(exact(all))];
      const X = (terms) => 8 + (terms / all) * 324;
      const Y = (v) => 212 - ((v - low) / (high - low || 1)) * 80;
      const at = Array.from({ length: 151 }, (_, i) => kept[Math.max(first, Math.round((step * i) / 150))]);
      const axes = path("M8 128V212H332") + text(8, 226, show(low), "start") + text(332, 226, `${some(all)} terms`, "end");
      if (step <= first) return axes;
      const end = kept[step][2];
      const [right, got] = [Y(nearest(exact(end))), Y(round(kept[step][0], f))];
      const [x, anchor] = end > all / 2 ? [X(end) - 8, "end"] : [X(end) + 8, "start"];
      return axes + path(`M${X(first)} ${Y(nearest(exact(first)))}L${X(end)} ${right}`, "roundoff") +
        path(`M${at.map(([v, , terms]) => `${X(terms)} ${Y(round(v, f))}`).join("L")}`, order === "left" ? "naive" : "stable") +
        (got - right > 20 ? text(x, right + 8, "exact", anchor) + text(x, got - 5, "computed", anchor) : "");
    }
  }
  customElements.define("explore-add", Add);
})();
