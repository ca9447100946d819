"""The cover: three programs that answer what the functions of the book return, on one screen."""

import numpy as np
import pytest

from stable_softmax import cross_entropy_epsilon, cross_entropy_naive, cross_entropy_shifted
from stable_softmax.experiments.recovery import autograd_gradient, samples_behind
from tests.pages import read
from tests.site.own_page import enter, plain, says
from tests.site.visit import run_axe

LOSSES = {
    "softmax, then log": cross_entropy_naive,
    "log(p + 1e-7)": cross_entropy_epsilon,
    "from the logits": cross_entropy_shifted,
}
GAPS = np.arange(121)
SCREENS = [(1280, 900), (390, 844)]


KIND = "cover"


@pytest.fixture
def cover(place):
    """The experiment on a page of its own."""
    return place


@pytest.fixture(scope="module")
def truth():
    """The loss and the pull of each program at each gap, from the package and from autograd."""
    x, labels = samples_behind(GAPS)
    answers = {}
    for name, loss in LOSSES.items():
        with np.errstate(all="ignore"):
            answers[name] = loss(x, labels), -autograd_gradient(loss)(x, labels)[:, 1]
    return answers


def answers(cover):
    """What the page shows: {program: (loss, pull)}, as numbers."""
    shown = cover.evaluate(
        """e => [...e.querySelectorAll("li")].map(tape => ["b", ".loss", ".pull"].map(
            part => tape.querySelector(part).textContent))"""
    )
    return {
        name: (float(plain(loss)), float(plain(pull).removeprefix("pull ")))
        for name, loss, pull in shown
    }


def test_each_program_shows_the_loss_of_the_package_and_the_gradient_of_autograd(cover, truth):
    for gap in GAPS.tolist():
        enter(cover, gap=gap)
        shown = answers(cover)
        assert list(shown) == list(LOSSES)
        for name, (losses, pulls) in truth.items():
            for value, exact, digits in zip(
                shown[name], (losses[gap], pulls[gap]), (3, 2), strict=True
            ):
                half_a_digit = 0.51 * 10.0 ** (1 - digits)
                np.testing.assert_allclose(value, exact, half_a_digit, 0, err_msg=f"{name}, {gap}")


def test_the_verdict_is_true_at_every_gap(cover, truth):
    (naive, naive_pull), (repaired, pull), (right, right_pull) = truth.values()
    for gap in GAPS.tolist():
        enter(cover, gap=gap)
        said = says(cover)
        finite = [np.isfinite(naive[gap]), np.isfinite(naive_pull[gap])]
        if gap == 0:
            assert said == "Level. All three say log 2, and pull with one half."
            same = [naive[0], repaired[0], right[0]]
            np.testing.assert_allclose(same, np.log(2), 1e-6)
            np.testing.assert_allclose([naive_pull[0], pull[0], right_pull[0]], 0.5, 1e-6)
        elif "All three agree" in said:
            np.testing.assert_allclose([naive[gap], repaired[gap]], right[gap], 0.01)
            np.testing.assert_allclose([naive_pull[gap], pull[gap]], right_pull[gap], 0.01)
        elif "lets go" in said:
            told = float(said.split("pulls with ")[1].split(",")[0])
            np.testing.assert_allclose(told, pull[gap], 0.05)
            np.testing.assert_allclose([naive_pull[gap], right_pull[gap]], 1, 1e-4)
        elif "has let go" in said:
            assert all(finite) and pull[gap] < 0.01 and f"{repaired[gap]:.1f}" == "16.1"
        elif "overflows" in said:
            assert said.startswith(f"exp({gap}) overflows.") and not any(finite)
            assert np.isnan(naive_pull[gap]) and 0 < pull[gap] < 1e-30
            assert gap > np.log(np.finfo(np.float32).max) > 88
        else:
            assert said == "One has overflowed, one pulls with exactly 0, and one still works."
            assert not any(finite) and pull[gap] == 0 and right_pull[gap] == 1


def test_the_table_for_readers_without_scripts_shows_the_numbers_of_the_printed_state(cover):
    enter(cover, gap=100)
    rows = [line.strip("| ").split(" | ") for line in read("index").splitlines()]
    told = {name: tuple(float(plain(v)) for v in row) for name, *row in rows if name in LOSSES}
    np.testing.assert_equal(told, answers(cover))
    assert says(cover).partition(". ")[2] in read("index")


def test_a_tape_is_uncovered_up_to_the_gap_and_what_is_infinite_is_a_wall(cover, truth):
    points = """e => [...e.querySelectorAll(".line")].map(line =>
        line.getAttribute("d").slice(1).split("L").map(point => point.split(" ").map(Number)))"""
    walls = """e => [...e.querySelectorAll(".wall")].map(wall =>
        [...wall.getAttribute("d").matchAll(/M(\\d+) 0V120/g)].map(found => +found[1]))"""
    for gap in [0, 16, 40, 88, 89, 120]:
        enter(cover, gap=gap)
        for drawn, wall, (losses, _) in zip(
            cover.evaluate(points), cover.evaluate(walls), truth.values(), strict=True
        ):
            seen = losses[: gap + 1]
            at = np.flatnonzero(np.isfinite(seen))
            np.testing.assert_allclose(drawn, np.stack([at, 120 - seen[at]], axis=-1), atol=0.051)
            assert wall == np.flatnonzero(np.isinf(seen)).tolist()


def test_one_drags_anywhere_on_the_tapes_and_the_grip_is_where_the_pointer_is(cover):
    page = cover.page
    box = cover.locator(".tape").first.bounding_box()
    for gap in [0, 30, 60, 120]:
        x = box["x"] + box["width"] * gap / 120
        page.mouse.move(x, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(x, box["y"] + 25)
        page.mouse.up()
        assert abs(int(cover.locator("[name=gap]").input_value()) - gap) <= 1
        grip = cover.locator(".grip").bounding_box()
        assert abs(grip["x"] + grip["width"] / 2 - x) <= box["width"] / 120


def test_every_control_is_reached_and_used_by_the_keyboard(cover):
    keyboard = cover.page.keyboard
    enter(cover, gap=88)
    cover.locator("[name=gap]").focus()
    keyboard.press("ArrowRight")
    assert says(cover).startswith("exp(89) overflows")
    keyboard.press("Home")
    assert says(cover).startswith("Level")
    for expected in ["0", "16", "40", "89", "104", "40"]:  # the last one is the reset
        keyboard.press("Tab")
        keyboard.press("Enter")
        cover.page.wait_for_timeout(20)
        assert cover.locator("[name=gap]").input_value() == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_the_cover_fits_the_first_screen_with_its_ways_on(visitor, server, width, height, scheme):
    page = visitor(f"{server}index.html", width=width, scheme=scheme)
    page.set_viewport_size({"width": width, "height": height})
    ways = page.locator(".ways-on a")
    assert ways.all_inner_texts() == ["Start reading", "Find my bug", "Play"]
    boxes = [way.bounding_box() for way in ways.all()]
    assert len({box["y"] for box in boxes}) == 1, "in one row"
    parts = ["h1", ".lead", "explore-cover li", "explore-cover .sentence", ".take-along a"]
    shown = page.locator(", ".join(f".bd-article {part}" for part in parts)).all()
    assert len(shown) in {7, 9}, "without a release and with its two files"
    for box in [*boxes, *(part.bounding_box() for part in shown)]:
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert not page.locator("article :is(details, .cell)").count(), "no code, and no bar of it"


@pytest.mark.parametrize("gap", [0, 12, 100, 110])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_verdict_breaks_no_rule_of_axe(visitor, server, gap, scheme):
    page = visitor(f"{server}index.html?gap={gap}#exp-index-cover", width=390, scheme=scheme)
    assert page.locator("explore-cover [name=gap]").input_value() == str(gap)
    assert run_axe(page) == []


def test_without_scripts_the_cover_has_its_table_and_its_ways_on(browser, server):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server}index.html")
    assert "16.1" in page.locator("explore-cover table").inner_text()
    assert page.locator("explore-cover table").is_visible()
    assert page.locator(".ways-on a").count() == 3
    context.close()
