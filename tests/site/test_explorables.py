"""What all explorables promise: nothing moves below them, updates are quick, marks can be dragged,
the address keeps what a reader has chosen, and paper shows a picture."""

import gzip
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.site.own_page import BOOK, busy, enter, own_page, press, reset
from tests.site.visit import WIDTHS, open_page, run_axe

ASSETS = BOOK / "explorables"
KINDS = ["cover", "formats", "epsilon", "order", "loss", "add", "mask", "network", "one_pass"]
every_kind = pytest.mark.parametrize("kind", KINDS)

# Press every button, play every run to its end, and let each control take random values.
WANDER = """async ([steps]) => {
    const element = document.querySelector("main figure > *"), { form } = element;
    let seed = 1;
    const random = () => (seed = (seed * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
    const any = (list) => list[Math.floor(random() * list.length)];
    const heights = {};
    const look = (what) => (heights[element.getBoundingClientRect().height] ??= what);
    const controls = [...form.querySelectorAll("[name]:is(input, select)")]
        .filter((control) => !control.name.endsWith("-slider"));
    look("the start");
    for (const button of form.querySelectorAll("[data-choice]")) {
        button.click();
        look(button.textContent);
        element.rest?.();
        look(`the end of ${button.textContent}`);
    }
    for (let i = 0; i < steps; i += 1) {
        const control = any(controls);
        if (control.options) control.value = any([...control.options]).value;
        else if (control.type === "checkbox") control.checked = random() < 0.6;
        else if (control.type === "text") control.value = any(["nan", "0", "-0.2", "18.42", "?"]);
        else {
            const { min, max } = form.elements[`${control.name}-slider`] ?? { min: -9, max: 9 };
            const value = Number(min) + random() * (max - min);
            control.value = Math.max(control.min, value.toFixed(control.step === "1" ? 0 : 1));
        }
        control.dispatchEvent(new Event("input", { bubbles: true }));
        element.pause?.();
        look(`${control.name} = ${control.value}`);
    }
    return heights;
}"""
# Twenty updates, to and fro between two states, each with the layout that follows.
UPDATE_TWENTY_TIMES = """(element, values) => {
    for (let i = 0; i < 20; i += 1) {
        if (element.pause) element.update(); // without the whole training
        else element.set(i % 2 ? values : element.first);
        document.body.getBoundingClientRect();
    }
}"""


@pytest.fixture
def opened(browser, tmp_path):
    """Open an explorable on a page of its own, in a state that stands in the address."""
    pages = []

    def open_it(kind, width=1280, scheme="light", state=""):
        address = own_page(tmp_path, kind, scheme) + state
        page, _, problems = open_page(browser, address, width, scheme)
        pages.append((page, problems))
        return page.locator(f"explore-{kind}")

    yield open_it
    for page, problems in pages:
        page.context.close()
        # axe asks for the style sheets itself, which a page without a server refuses
        assert not [problem for problem in problems if problem.startswith("error:")]


def state(element):
    return element.evaluate("(element) => element.state()")


@every_kind
@pytest.mark.parametrize("width", [*WIDTHS, 720])
def test_nothing_below_an_explorable_moves_whatever_a_reader_does(opened, kind, width):
    element = opened(kind, width)
    heights = element.page.evaluate(WANDER, [120])
    assert len(heights) == 1, heights
    if width in WIDTHS:
        room = element.evaluate(
            "e => parseFloat(getComputedStyle(e).minHeight) - e.form.offsetHeight"
        )
        assert 0 <= room <= 56, "the room kept for it is about what it needs"
    assert element.page.evaluate("document.scrollingElement.scrollWidth") <= width


@every_kind
def test_an_update_is_quick_also_on_a_computer_that_is_four_times_slower(opened, kind):
    element = opened(kind)
    for values in element.evaluate("element => element.choices"):
        element.evaluate("(element, values) => { element.set(values); element.pause?.(); }", values)
        assert 4 * busy(element, UPDATE_TWENTY_TIMES, values) / 20 < 50, values


@pytest.mark.parametrize(
    ("kind", "start", "mark", "by", "name", "expected"),
    [
        ("formats", {"format": "fp32", "x2": 0}, "x2", (0, -20), "x2", range(15, 80)),
        (
            "formats",
            {"format": "fp32", "x1": 80, "x2": 0, "x3": 50, "shift": 1},
            "x3",
            (0, 900),
            "x3",
            [-25],
        ),
        ("epsilon", {"gap": 20}, "gap", (60, 0), "gap", range(25, 40)),
        ("epsilon", {"gap": 20, "step": 5}, "gap", (400, 0), "gap", [60]),
        ("epsilon", {}, "power", (0, -40), "power", range(-14, -9)),
        ("order", {"power": 22}, "power", (110, 0), "power", [23]),
        ("order", {"power": 22}, "power", (400, 0), "power", range(24, 27)),
        ("order", {"gap": 0}, "gap", (-60, 0), "gap", [1]),
        ("order", {"gap": 0}, "back", (60, 0), "gap", [1]),
        ("loss", {"x1": 1}, "x1", (0, -50), "x1", range(100, 900)),
        ("loss", {"x1": 1}, "x1", (0, 900), "x1", [-1000]),
        ("add", {"step": 5000}, "step", (-900, 0), "step", [0]),
        ("add", {"step": 0}, "step", (900, 0), "step", [10000]),
        ("add", {"step": 0, "order": "halves"}, "step", (900, 0), "step", [15]),
        ("one_pass", {"step": 0}, "step", (200, 0), "step", range(4, 13)),
    ],
)
def test_a_mark_follows_the_pointer_and_takes_its_control_along(
    opened, kind, start, mark, by, name, expected
):
    element = opened(kind)
    enter(element, **start)
    box = element.locator(f"[data-drag={mark}]").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse = element.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + by[0] / 2, y + by[1] / 2)
    mouse.move(x + by[0], y + by[1])
    dragged = float(state(element)[name])
    assert min(expected) <= dragged <= max(expected)
    mouse.up()
    mouse.move(x, y)
    assert float(state(element)[name]) == dragged, "what is let go does not move any more"


def test_a_mark_can_be_dragged_by_a_finger_and_has_room_for_one(opened):
    """A page does not scroll where `touch-action` is none."""
    for kind in ["formats", "epsilon", "order", "loss", "add", "one_pass"]:
        element = opened(kind, 390)
        marks = element.locator("[data-drag]").all()
        assert marks
        for mark in marks:
            assert mark.evaluate("e => getComputedStyle(e).touchAction") == "none"
            box = mark.bounding_box()
            assert min(box["width"], box["height"]) >= 24


@every_kind
def test_the_address_leads_another_reader_to_the_same_state(opened, kind):
    element = opened(kind)
    first = state(element)
    example = element.get_by_role("group", name="Examples").get_by_role("button").nth(1)
    example.click()
    chosen = state(element)
    changed = {name: value for name, value in chosen.items() if value != first[name]}
    element.page.wait_for_function("location.search")
    query = urlsplit(element.page.url).query
    assert {n: v[0] for n, v in parse_qs(query, keep_blank_values=True).items()} == changed
    assert state(opened(kind, state=f"?{query}#exp-own")) == chosen
    press(element, "Reset")
    element.page.wait_for_function("!location.search")


FREE = {
    "seen",
    "shift",
    "step",
}  # any text is a loss or a tick, and a step beyond the end is the end


@every_kind
def test_an_address_that_no_control_can_follow_is_ignored(opened, kind):
    first = state(opened(kind))
    names = {**dict.fromkeys(first, "nonsense"), "other": "1", "highlight": "softmax"}
    for address in [
        "?other=1&highlight=softmax",
        "?" + "&".join(f"{name}=1e99" for name in names),
        "?" + "&".join(f"{name}=<b>" for name in names),
    ]:
        element = opened(kind, state=f"{address}#exp-own")
        element.page.wait_for_timeout(50)
        left = {n: v for n, v in state(element).items() if n not in FREE}
        ticks = {n for n in left if n.startswith("on")}
        assert {n: v for n, v in left.items() if n not in ticks} == {
            n: v for n, v in first.items() if n in left and n not in ticks
        }
        assert not element.locator("b", has_text="nonsense").count()


def test_a_change_by_the_keyboard_is_kept_too_and_a_fold_alone_is_not(opened):
    element = opened("formats")
    element.get_by_text("All numbers").click()
    element.page.wait_for_timeout(500)
    assert not urlsplit(element.page.url).query
    element.get_by_role("slider", name="Logit x₂").press("ArrowLeft")
    element.page.wait_for_function("location.search === '?x2=999'")


@every_kind
def test_paper_shows_a_picture_of_a_state_that_says_something(opened, kind):
    element = opened(kind)
    before = state(element)
    element.page.emulate_media(media="print")
    element.page.wait_for_timeout(100)
    assert state(element) == before | {
        name: str(value) for name, value in PRINTED.get(kind, {}).items()
    }
    picture = element.locator(".picture, .scroll").first
    assert picture.is_visible() and element.locator(".sentence").is_visible()
    assert not element.locator("button").first.is_visible()
    element.page.emulate_media(media="screen")
    element.page.wait_for_timeout(100)
    assert state(element) == before
    assert element.locator("button").first.is_visible()


PRINTED = {  # what differs from the start
    "cover": {"gap": 100},
    "formats": {"format": "fp32", "x1": 88.7, "x2": 88.7, "x3": 88},
    "epsilon": {"gap": 22, "step": 12},
    "order": {"power": 24},
    "add": {"step": 10000},
    "mask": {"axis": 0},
    "network": {"power": 6, "rate": -3},
    "one_pass": {"count": 4096, "height": 4.095, "step": 4096},
}


def test_paper_shows_what_a_reader_has_chosen(opened):
    element = opened("order")
    enter(element, power=53, format="fp64")
    element.page.emulate_media(media="print")
    element.page.wait_for_timeout(100)
    assert state(element)["power"] == "53"
    drawing = element.locator("svg").text_content()
    assert "x \N{MINUS SIGN} (m + log s) = 0" in drawing
    element.page.emulate_media(media="screen")
    element.page.wait_for_timeout(100)
    assert state(element)["power"] == "53" and state(element)["format"] == "fp64"


@pytest.mark.parametrize("kind", ["cover", "formats", "epsilon", "order", "loss"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_each_state_of_an_example_is_accessible_with_all_that_is_folded(
    opened, kind, width, scheme
):
    element = opened(kind, width, scheme)
    element.evaluate("e => e.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    for button in element.get_by_role("group", name="Examples").get_by_role("button").all():
        button.click()
        assert run_axe(element.page) == [], json.dumps(state(element))
        assert element.page.evaluate("document.scrollingElement.scrollWidth") <= width
    reset(element)


@every_kind
def test_a_page_loads_at_most_16_and_a_half_kilobytes_for_its_explorable(kind):
    names = ["explore.css", "explore_core.js", f"explore_{kind}.js"]
    names += [path.name for path in ASSETS.glob(f"explore_{kind}.css")]
    sizes = [len(gzip.compress((ASSETS / name).read_bytes(), mtime=0)) for name in names]
    assert sum(sizes) < 16_500
