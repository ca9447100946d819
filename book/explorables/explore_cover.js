/* <explore-cover>: one sample whose right answer is behind by a gap, and what three programs say of
   it in fp32: the loss, uncovered up to the gap, and the pull, minus its gradient at the label. */
(() => {
  "use strict";
  const {
    formats, round, Explorable, show, autograd, crossEntropy,
    logSoftmaxNaive, logSoftmaxEpsilon, logSoftmaxShifted,
  } = StableSoftmax;
  const END = 120;
  const TICKS = [0, 16, 40, 89, 104]; // where something changes
  const GAPS = Array.from({ length: END + 1 }, (_, gap) => gap);
  const f = formats.fp32;
  const epsilon = round(1e-7, f);
  const PROGRAMS = [
    ["softmax, then log", "naive", logSoftmaxNaive, "naive"],
    ["log(p + 1e-7)", "epsilon", logSoftmaxEpsilon, "epsilon"],
    ["from the logits", "shifted", logSoftmaxShifted, "from logits"],
  ].map(([name, role, logSoftmax, form]) => {
    const slope = autograd(form, epsilon, f);
    const loss = GAPS.map((gap) => crossEntropy(logSoftmax, [gap, 0], 1, f));
    return { name, role, loss, pull: GAPS.map((gap) => -slope([gap, 0])[1]) };
  });

  /** What the three numbers and pulls mean. */
  function verdict(gap) {
    const [naive, repaired, right] = PROGRAMS;
    const pull = repaired.pull[gap];
    if (gap === 0) return "Level. All three say log 2, and pull with one half.";
    if (naive.loss[gap] === Infinity) {
      return pull
        ? `exp(${gap}) overflows. One step with this pull, and your loss is nan.`
        : "One has overflowed, one pulls with exactly 0, and one still works.";
    }
    if (pull > 0.99 * right.pull[gap]) return "All three agree. This is why the bug passes every test.";
    if (pull > 0.01) return `The second lets go. It pulls with ${show(pull, 2)}, the others with 1.`;
    return "The second has let go: at 16.1, it cannot tell bad from hopeless.";
  }

  const LONGEST = GAPS.map(verdict).reduce((a, b) => (b.length > a.length ? b : a));

  class Cover extends Explorable {
    picture = { gap: 100 };

    template() {
      const tapes = PROGRAMS.map(({ name, role }) => `<li class="${role}"><b>${name}</b>
        <span class="loss"></span> <span class="pull"></span>
        <div class="tape" aria-hidden="true"><svg class="picture" viewBox="0 0 ${END} ${END}"
          preserveAspectRatio="none"></svg><i></i></div></li>`);
      this.choices = TICKS.map((gap) => ({ gap }));
      const tick = (attributes, gap, words) =>
        `<button type="${attributes}" style="--at:${gap / END}">${words}</button>`;
      const ticks = TICKS.map((gap, i) => tick(`button" data-choice="${i}" aria-label="behind by ${gap}`, gap, gap));
      ticks.push(tick(`reset" aria-label="Reset`, END, "↺"));
      return `<div class="tapes">
          <label for="${this.uid}-gap"><span class="drag">Drag: </span>the right answer is behind by <span class="behind"></span></label>
          <ul>${tapes.join("")}</ul>
          <input type="range" id="${this.uid}-gap" name="gap" min="0" max="${END}" step="1" value="40"><span class="grip"></span>
        </div>
        <div class="ticks" role="group" aria-label="Examples">${ticks.join("")}</div>
        <div class="said"><p class="sentence" role="status"></p>
          <p aria-hidden="true">${LONGEST}</p></div>`;
    }

    update() {
      const gap = this.number("gap");
      this.style.setProperty("--gap", gap / END);
      this.form.querySelector(".behind").textContent = gap;
      this.form.querySelectorAll("li").forEach((tape, i) => {
        const loss = PROGRAMS[i].loss[gap];
        const pull = PROGRAMS[i].pull[gap];
        tape.querySelector(".loss").textContent = show(loss, 3);
        tape.querySelector(".pull").textContent = `pull ${show(pull, 2)}`;
        tape.querySelector("svg").innerHTML = this.uncovered(PROGRAMS[i].loss, gap);
        const mark = tape.querySelector("i");
        mark.className = Number.isNaN(pull) ? "lost" : "";
        mark.style.setProperty("--pull", pull || 0);
      });
      this.say(verdict(gap));
    }

    /** The losses up to the gap; what is infinite has no end. */
    uncovered(losses, gap) {
      const right = `<path class="right" d="M0 ${END}L${END} 0"/>`;
      const seen = losses.slice(0, gap + 1).map((loss, i) => [i, END - loss]);
      const line = seen.filter(([, y]) => Number.isFinite(y)).map(([x, y]) => `${x} ${y.toFixed(1)}`);
      const last = line.length - 1;
      const lost = seen.slice(line.length).map(([x]) => `M${x} 0V${END}`);
      return `<path class="area" d="M0 ${END}L${line.join("L")}L${last} ${END}z"/>${right}
        <path class="line" d="M${line.join("L")}"/><path class="wall" d="${lost.join("")}"/>`;
    }
  }
  customElements.define("explore-cover", Cover);
})();
