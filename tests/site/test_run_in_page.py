"""The cells run in the page: what each puts out is what the page has printed, and readers may edit.

Every page is gone through first, two at a time; then each is judged.
"""

import gzip
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import jupytext
import pytest
from playwright.sync_api import TimeoutError, sync_playwright

from book_tools.browser import launch
from stable_softmax.libraries.adapters import describe_machine
from tests.pages import CHAPTERS, ROOT
from tests.site.visit import SETTLE, open_page, run_axe

CAN_RUN = {  # cells of each chapter that run in the page, and all of them
    "book/network": (17, 17),
    "book/numbers": (14, 20),
    "book/softmax": (20, 20),
    "book/overflow": (18, 22),
    "book/underflow": (16, 18),
    "book/epsilon": (11, 19),
    "book/logsumexp": (19, 21),
    "book/cross_entropy": (14, 22),
    "book/pytorch": (3, 20),
    "book/mxnet": (5, 12),
    "book/training": (8, 21),
    "book/low_precision": (11, 21),
    "book/special_values": (14, 20),
    "book/one_pass": (20, 20),
    "book/speed": (9, 15),
    "book/attention": (13, 17),
    "book/vocabulary": (12, 19),
    "book/gpu": (13, 20),
    "book/drawing": (15, 20),
    "book/divergence": (18, 21),
    "book/sequences": (17, 20),
    "book/rounding_error": (18, 18),
    "book/accuracy": (10, 16),
    "book/corrections": (12, 22),
}
# Cells whose last digits depend on exp and log of the machine; the page says so below them.
OTHER_DIGITS = {
    "book/numbers": {14},  # also: an interval in place of a ball
    "book/softmax": {15},
    "book/overflow": {12, 13},
    "book/underflow": {4},
    "book/epsilon": {17},
    "book/logsumexp": {20},
    "book/one_pass": {1, 4, 6, 7, 12},
    "book/speed": {3, 8},
    "book/attention": {8, 14},
    "book/vocabulary": {2, 9, 16},
    "book/gpu": {19},
    "book/divergence": {7, 9, 11, 16, 17, 19},
    "book/sequences": {10},
    "book/rounding_error": {1, 4, 9, 14, 15},
    "book/accuracy": {14},
    "book/corrections": {13},
}
SAME_WITHOUT_AVX512 = {  # there NumPy has exp and log with the digits of a browser
    "book/epsilon": {17},
    "book/logsumexp": {20},
    "book/one_pass": {1},
    "book/gpu": {19},
    "book/divergence": {16, 19},
    "book/accuracy": {14},
    "book/corrections": {13},
}
EXERCISES_THAT_LACK = {"book/low_precision": 2, "book/gpu": 1}  # bfloat16 arrays
NOTE = "Not the printed digits"
ENDED = re.compile(r"^(Done|Ended|Stopped|Python could|Cell)")
TEN_MINUTES = 600_000  # a slow processor may take one for a cell, and has other work
STATUS_IS_THERE = """i => /^(Done|Ended|Stopped|Python could|Cell)/.test(
    document.querySelectorAll('.cell')[i].querySelector('.run-status')?.textContent)"""
# What a result says: figures count as one word each; formulas are left out.
SAID = """box => [...(box?.querySelectorAll('pre, th, td, .figure-box') ?? [])].filter(
    part => !part.querySelector('.math')).map(
    part => part.className === 'figure-box' ? 'a figure'
        : (part.closest('.stderr') ? 'warning: ' : '') + part.textContent.trimEnd()).sort()"""
PRINTED = f"""async () => {{
    const page = new DOMParser().parseFromString(
        await (await fetch(location.href)).text(), 'text/html');
    return [...page.querySelectorAll('.bd-article .cell')].map(
        cell => ({SAID})(cell.querySelector('.cell_output')));
}}"""
OPEN = """() => {
    document.querySelectorAll('details').forEach(details => { details.open = true; });
}"""


class Page:
    """A page of the site in a browser, and what a reader does with its cells."""

    def __init__(self, browser, server, name, width=1280, scheme="light"):
        self.page, self.requests, self.problems = open_page(
            browser, f"{server}{name}.html", width, scheme
        )
        self.page.evaluate(OPEN)
        self.cells = self.page.locator(".bd-article .cell")
        self.printed = self.page.evaluate(PRINTED)

    def bar(self, i):
        return self.cells.nth(i).locator(".run-bar")

    def can_run(self, i):
        return self.bar(i).get_by_role("button").count() > 0

    def press(self, i, button):
        self.bar(i).get_by_role("button", name=f"{button} cell {i + 1}", exact=True).click()

    def run(self, i):
        """Run a cell and return what it says at the end."""
        before = self.bar(i).locator(".run-status")
        before.evaluate_all("statuses => statuses.forEach(s => { s.textContent = ''; })")
        self.press(i, "Run")
        try:
            self.page.wait_for_function(STATUS_IS_THERE, arg=i, timeout=TEN_MINUTES)
        except TimeoutError:
            pytest.fail(f"cell {i} of {self.page.url} has not ended: {self.status(i)}")
        return self.status(i)

    def status(self, i):
        return self.bar(i).locator(".run-status").inner_text()

    def said(self, i):
        return self.cells.nth(i).evaluate(f"cell => ({SAID})(cell.querySelector('.run-output'))")

    def text(self, i):
        return self.cells.nth(i).locator(".run-output").inner_text()

    def write(self, i, source):
        self.press(i, "Edit")
        self.cells.nth(i).get_by_role("textbox").fill(source)

    def indices(self, selector):
        """The numbers of the cells that fit a selector."""
        return self.page.evaluate(
            "selector => [...document.querySelectorAll('.bd-article .cell')]"
            ".flatMap((cell, i) => cell.matches(selector) ? [i] : [])",
            selector,
        )

    def close(self):
        self.page.context.close()


@pytest.fixture(scope="session", autouse=True)
def runtime(site):
    """The folder of the runtime; without it, no page has buttons."""
    folder = site / "run"
    if not folder.exists():
        pytest.skip("this site is a release, which has no runtime")
    return folder


def go_through(browser, server, name):
    """Run every cell of a page in order, and at last an exercise with the right answer."""
    page = Page(browser, server, name)
    found = []
    exercise = [i for i in page.indices(".tag_exercise") if page.can_run(i)][-1]
    starter = page.cells.nth(exercise).locator("pre").first.inner_text()
    for i in range(page.cells.count()):
        if not page.can_run(i):
            found.append({"lacks": page.bar(i).inner_text()})
            continue
        status = page.run(i)
        note = page.cells.nth(i).locator(".run-note").count() > 0
        found.append({"lacks": None, "status": status, "said": page.said(i), "noted": note})
    exercises = page.indices(".tag_exercise")
    result = {"cells": found, "printed": page.printed, "exercises": exercises}
    score, check = page.page.locator(".run-score"), re.search(r"^(check_\w+)\(", starter, re.M)[1]
    result["broken"] = page.text(exercise), score.count()
    page.cells.nth(exercise).get_by_role("textbox").fill(solutions(name)[check])
    result["repaired"] = page.run(exercise), page.text(exercise), score.inner_text()
    result["problems"] = [*page.problems]
    page.close()
    return result


@pytest.fixture(scope="session")
def runs(server, runtime):
    """What became of each cell of each chapter."""
    names, found = list(CAN_RUN), {}

    def some(part):
        with sync_playwright() as playwright:
            browser = launch(playwright)
            for name in part:
                found[name] = go_through(browser, server, name)

    with ThreadPoolExecutor() as pool:
        list(pool.map(some, [names[::2], names[1::2]]))
    return found


every_chapter = pytest.mark.parametrize("name", CAN_RUN)


def test_every_chapter_is_tried():
    assert list(CAN_RUN) == CHAPTERS


@every_chapter
def test_so_many_cells_run_the_first_and_each_exercise_among_them(runs, name):
    cells = runs[name]["cells"]
    can = [cell["lacks"] is None for cell in cells]
    assert (sum(can), len(can)) == CAN_RUN[name]
    assert can[0], "the first cell imports what a page lacks"
    lack = [i for i in runs[name]["exercises"] if not can[i]]
    assert len(lack) == EXERCISES_THAT_LACK.get(name, 0)
    for cell in cells:
        assert cell["lacks"] is None or re.fullmatch(
            r"Needs .+: open the chapter as a notebook to run it\.", cell["lacks"]
        )


@every_chapter
def test_every_cell_ends_and_no_request_leaves_the_site(runs, name):
    ended = {i: c["status"] for i, c in enumerate(runs[name]["cells"]) if c["lacks"] is None}
    assert {i: status for i, status in ended.items() if not status.startswith("Done")} == {}
    assert runs[name]["problems"] == []


def other_digits(name):
    """The cells of a chapter that differ on this processor."""
    same = set() if "AVX512" in describe_machine()["CPU"] else SAME_WITHOUT_AVX512.get(name, set())
    return OTHER_DIGITS.get(name, set()) - same


def different(run):
    """The numbers of the cells that have put out something else than the page has printed."""
    pairs = enumerate(zip(run["cells"], run["printed"], strict=True))
    return {i for i, (cell, said) in pairs if cell["lacks"] is None and cell["said"] != said}


@every_chapter
def test_what_a_cell_puts_out_is_what_the_page_has_printed(runs, name):
    other = {
        i: (Counter(runs[name]["printed"][i]), Counter(runs[name]["cells"][i]["said"]))
        for i in different(runs[name])
    }
    texts = [f"cell {i}: {dict(a - b)} became {dict(b - a)}" for i, (a, b) in other.items()]
    assert set(other) == other_digits(name), "\n".join(texts)
    for i, (printed, said) in other.items():
        number = r"[-+−]?[0-9.]+(e[-+−]?\d+)?"
        shape = [re.sub(number, "#", t) for t in sorted(printed.elements())]
        assert len(shape) == said.total(), f"cell {i} differs in more than digits"


@every_chapter
def test_the_page_says_where_the_digits_are_others(runs, name):
    noted = {i for i, cell in enumerate(runs[name]["cells"]) if cell.get("noted")}
    assert noted == other_digits(name)


def solutions(name):
    """The answers of a chapter by the name of their check."""
    cells = jupytext.read(ROOT / f"{name.replace('book/', 'book/solutions/')}.md").cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    imports = "".join(re.findall(r"^import math\n", code, flags=re.M))
    found = {}
    for cell in cells:
        if check := re.search(r"^assert (check_\w+)(\(.*\))$", cell.source, flags=re.M):
            found[check[1]] = imports + cell.source.replace(check[0], f"{check[1]}{check[2]};")
    return found


@every_chapter
def test_a_right_answer_is_called_solved(runs, name):
    said, solved = runs[name]["broken"]
    assert "FAIL" in said and solved == 0
    status, said, score = runs[name]["repaired"]
    assert status.startswith("Done")
    passed = re.search(r": (\d+) of (\d+) checks? passed", said)
    assert passed[1] == passed[2] and "FAIL" not in said
    assert re.fullmatch(r"1 of \d solved in this page", score)


@pytest.fixture
def page(browser, server):
    """The chapter Overflow, in which nothing has been run."""
    opened = Page(browser, server, "book/overflow")
    yield opened
    opened.close()


FIRST = 2  # a cell that prints a listing: it needs the imports only


def test_a_formula_in_a_result_is_set_with_the_macros_of_the_book(page):
    source = "from IPython.display import Markdown\nMarkdown(r'With $\\softmax(x)$.')"
    page.write(FIRST, source)
    assert page.run(FIRST).startswith("Done")
    formula = page.cells.nth(FIRST).locator(".run-output mjx-container")
    formula.locator("math").wait_for(state="attached")
    assert formula.locator("math").text_content() == "softmax(x)"
    assert formula.get_attribute("tabindex") is None
    assert page.problems == []


def test_an_edited_cell_shows_the_new_result_and_uses_the_names_of_others(page):
    page.write(FIRST, "print(softmax_naive(np.array([1.0, 1.0])))")
    assert page.run(FIRST).startswith("Done")
    assert page.text(FIRST).strip() == "[0.5 0.5]"
    page.write(FIRST + 1, "x = np.array([0.0, 1000.0])\nsoftmax_naive(x)")
    page.run(FIRST + 1)
    assert "RuntimeWarning: overflow encountered in exp" in page.text(FIRST + 1)
    assert "array([ 0., nan])" in page.text(FIRST + 1)


def test_an_error_is_told_by_its_line_and_the_page_goes_on(page):
    page.write(FIRST, "a = 1\nb = a +\n")
    assert page.run(FIRST) == "Ended with an error"
    assert page.text(FIRST).strip() == "Line 2: SyntaxError: invalid syntax"
    box = page.cells.nth(FIRST).get_by_role("textbox")
    box.fill("a = 1\na / 0")
    page.run(FIRST)
    assert page.text(FIRST).strip() == "Line 2: ZeroDivisionError: division by zero"
    box.fill("import torch")
    page.run(FIRST)
    assert "torch is not at hand in a page" in page.text(FIRST)
    box.fill("a")
    assert page.run(FIRST).startswith("Done") and page.text(FIRST).strip() == "1"


def test_a_cell_may_draw_what_it_did_not_draw_before(page):
    page.write(FIRST, "import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert page.run(FIRST).startswith("Done")
    image = page.cells.nth(FIRST).locator(".figure-box")
    assert image.locator("svg.wide").bounding_box()["width"] > 100
    assert not image.locator("svg.narrow").is_visible()
    assert image.get_attribute("aria-label")


def test_a_figure_that_a_reader_has_changed_has_no_caption_that_was_true_before(page):
    i = page.indices(":has(figure svg)")[0]
    page.run(i)
    assert page.cells.nth(i).locator(".run-output figcaption").count() == 1
    box = page.cells.nth(i).get_by_role("textbox")
    box.fill(box.input_value() + "\n# changed")
    page.run(i)
    assert page.cells.nth(i).locator(".run-output .figure-box").count() == 1
    assert page.cells.nth(i).locator(".run-output figcaption").count() == 0


def test_a_new_figure_takes_the_place_of_the_printed_one_above_its_code(page):
    i = page.indices(":has(figure svg)")[0]
    page.run(i)
    visible = page.cells.nth(i).evaluate(
        "cell => [...cell.children].filter(part => part.checkVisibility()).map(p => p.className)"
    )
    assert [re.search("run-output|quiet", name)[0] for name in visible] == ["run-output", "quiet"]


def test_stop_ends_a_loop_without_end_and_the_page_starts_again(page):
    page.write(FIRST, "while True: pass")
    page.press(FIRST, "Run")
    page.bar(FIRST).get_by_text("Running").wait_for(timeout=60_000)
    page.page.wait_for_timeout(500)
    page.press(FIRST + 1, "Run")
    page.bar(FIRST + 1).get_by_text(f"Wait: cell {FIRST + 1} is running").wait_for()
    page.press(FIRST, "Stop")
    page.bar(FIRST).get_by_text("Stopped").wait_for()
    assert not page.bar(FIRST).get_by_role("button", name="Stop").is_visible()
    page.cells.nth(FIRST).get_by_role("textbox").fill("1 + 1")
    assert page.run(FIRST).startswith("Done") and page.text(FIRST).strip() == "2"


def test_reset_brings_back_the_text_and_the_result_of_the_page(page):
    own = page.cells.nth(FIRST).locator(".cell_output").first
    page.write(FIRST, "1 + 1")
    page.run(FIRST)
    assert not own.is_visible()
    page.press(FIRST, "Reset")
    own.wait_for()
    assert page.cells.nth(FIRST).locator("pre").first.is_visible()
    assert page.cells.nth(FIRST).get_by_role("textbox").count() == 0
    page.page.reload()
    assert page.cells.nth(FIRST).get_by_role("textbox").count() == 0


def test_what_a_reader_has_written_and_solved_is_there_after_a_reload(page):
    i = page.indices(".tag_exercise")[1]
    page.run(i)
    page.cells.nth(i).get_by_role("textbox").fill(solutions("book/overflow")["check_row_maxima"])
    page.run(i)
    page.write(FIRST, "my own text")
    page.page.reload()
    page.page.evaluate(SETTLE)
    box = page.cells.nth(FIRST).get_by_role("textbox")
    box.wait_for()
    assert box.input_value() == "my own text"
    assert page.page.locator(".run-score").inner_text() == "1 of 4 solved in this page"


def test_a_reader_needs_no_mouse(page):
    keyboard = page.page.keyboard
    page.bar(FIRST).get_by_role("button", name="Edit").focus()
    keyboard.press("Enter")
    box = page.cells.nth(FIRST).get_by_role("textbox")
    box.wait_for()
    assert box.evaluate("box => box === document.activeElement")
    assert page.status(FIRST) == "Ctrl + Enter runs, Esc leaves"
    keyboard.press("Control+a")
    keyboard.type("for i in range(2):")
    keyboard.press("Enter")
    keyboard.type("print(i)")  # the editor has indented it
    keyboard.press("Control+Enter")
    page.page.wait_for_function(STATUS_IS_THERE, arg=FIRST, timeout=60_000)
    assert page.text(FIRST).split() == ["0", "1"]
    keyboard.press("Tab")  # indents, and stays
    assert box.input_value().endswith("    ")
    keyboard.press("Escape")
    run = page.bar(FIRST).get_by_role("button", name="Run")
    assert run.evaluate("button => button === document.activeElement")
    keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.textContent") == "Reset"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_nothing_while_cells_are_edited_and_have_run(browser, server, width, scheme):
    page = Page(browser, server, "book/overflow", width, scheme)
    for i, source in [(FIRST, "1 / 0"), (FIRST + 1, "while True: pass")]:
        page.write(i, source)
        page.press(i, "Run")
        page.bar(i).get_by_text(re.compile("Running|Ended")).wait_for(timeout=60_000)
    assert run_axe(page.page) == []
    assert page.page.evaluate("document.scrollingElement.scrollWidth") <= width
    page.press(FIRST + 1, "Stop")
    exercise = page.indices(".tag_exercise")[0]
    page.run(exercise)
    figure = page.indices(":has(figure svg)")[0]
    page.run(figure)
    assert run_axe(page.page) == []
    page.close()


def test_a_page_as_a_file_and_a_page_on_paper_show_no_buttons(browser, server, site):
    paper = browser.new_page()
    paper.goto((site / "book/overflow.html").as_uri())
    assert paper.locator(".run-bar").count() and not paper.locator(".run-bar:visible").count()
    paper.goto(f"{server}book/overflow.html")
    assert paper.locator(".run-bar:visible").count()
    paper.emulate_media(media="print")
    assert not paper.locator(".run-bar:visible").count()
    paper.close()


def test_without_webassembly_there_are_no_buttons(browser, server):
    context = browser.new_context()
    context.add_init_script("delete window.WebAssembly")
    page = context.new_page()
    page.goto(f"{server}book/overflow.html")
    assert page.locator(".run-bar").count() and not page.locator(".run-bar:visible").count()
    context.close()


# What is transferred


def sizes(page, server, site):
    """Watch what a page and its worker ask for; return the list that grows: (name, bytes)."""
    asked = []

    def note(request):
        path = request.url.removeprefix(server).partition("?")[0]
        if request.url.startswith(server) and (site / path).is_file():
            asked.append((path, (site / path).stat().st_size))

    page.context.on("request", note)
    return asked


def test_nothing_is_loaded_before_a_click_and_little_for_the_first_result(browser, server, site):
    context = browser.new_context()
    page = context.new_page()
    asked = sizes(page, server, site)
    page.goto(f"{server}book/overflow.html")
    page.evaluate(SETTLE)
    assert [path for path, _ in asked if path.startswith("run/")] == []
    del asked[:]
    cell = page.locator(".bd-article .cell").nth(FIRST)
    cell.get_by_role("button", name="Run").click()
    page.wait_for_function(STATUS_IS_THERE, arg=FIRST, timeout=60_000)
    assert any("pyodide.asm.wasm.gzip" in path for path, _ in asked), "the worker is watched"
    assert sum(size for _, size in asked) <= 12e6
    assert not any("matplotlib" in path for path, _ in asked)
    del asked[:]
    page.goto(f"{server}book/underflow.html")
    cell = page.locator(".bd-article .cell").nth(1)
    cell.get_by_role("button", name="Run").click()
    page.wait_for_function(STATUS_IS_THERE, arg=1, timeout=60_000)
    again = [(path, size) for path, size in asked if path.startswith("run/") and size > 2e5]
    assert {path for path, _ in again} <= {"run/pyodide.asm.js"}, "the rest is kept by the browser"
    context.close()


@every_chapter
def test_a_page_gains_at_most_four_kilobytes(site, name):
    page = (site / f"{name}.html").read_text("utf-8")
    bare = re.sub(r'<div class="run-bar">.*?</div>\n', "", page)
    bare = re.sub(r"<script>if \(location\.protocol.*?</script>", "", bare, flags=re.S)
    assert bare != page
    more = len(gzip.compress(page.encode())) - len(gzip.compress(bare.encode()))
    style = (ROOT / "book/_static/book.css").read_text("utf-8")
    style = style[style.index("/* The buttons of a cell") :]
    style = style[: style.index("\n/* ")]  # where the next part begins
    script = (site / "_static/buttons.js").read_bytes()
    assert more + len(gzip.compress(style.encode())) + len(gzip.compress(script)) <= 4000


def test_the_runtime_is_not_too_large(runtime):
    assert sum(path.stat().st_size for path in runtime.rglob("*") if path.is_file()) <= 30e6
