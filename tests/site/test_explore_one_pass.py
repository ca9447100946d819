"""One pass: the pair after every step has the bits of the package, and every error is exact."""

import gzip
import itertools
import math
from decimal import Decimal, localcontext

import array_api_compat.numpy
import numpy as np
import pytest
from playwright.sync_api import expect

from stable_softmax.measure.exact import exp_exact
from stable_softmax.scale.one_pass import merge_in_order, scaled_sum
from tests.site.own_page import (
    BOOK,
    busy,
    cells,
    check_opening,
    enter,
    own_page,
    play_four_steps,
    press,
    reset,
    says,
    walk_by_tab,
)
from tests.site.visit import open_page, run_axe

STATES = """e => e.states.map(({ m, s }) => [m, s].map(
    (v) => Number.isNaN(v) ? "nan" : v === -Infinity ? "-inf" : v === Infinity ? "inf" : v))"""
U = 2.0**-24
ROWS = ["rising", "falling", "shuffled", "late"]


KIND = "one_pass"


@pytest.fixture
def one_pass(place):
    return reset(place)


@pytest.fixture
def exp(monkeypatch):
    """The package with an exponential that is rounded correctly, as that of the page."""
    monkeypatch.setattr(array_api_compat.numpy, "exp", exp_exact)


def logits(element):
    """The row of the page, in float32."""
    x = element.evaluate("e => e.x.map((v) => v === -Infinity ? '-inf' : v)")
    return np.array([float(v) for v in x], dtype=np.float32)


def states(element):
    """The pairs (m, s), from before the first number on."""
    return np.array([[float(v) for v in pair] for pair in element.evaluate(STATES)])


def pairs(x, block, lead):
    """The pair of the package after each step, for a table of one row.

    NumPy 1 adds a lead to a single number in float64, and to a table in float32, as NumPy 2 does.
    """
    found, total = [[-np.inf, 0.0]], None
    for start in range(0, len(x), block):
        new = scaled_sum(x[None, start : start + block])
        total = new if total is None else merge_in_order([total, new], lead=lead)
        assert total.m.dtype == total.s.dtype == np.float32
        found.append([float(total.m[0]), float(total.s[0])])
    return np.array(found)


def exact_sum(x, m):
    """The sum of exp(x - m) to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        terms = [(Decimal(float(v)) - Decimal(float(m))).exp() for v in x if v > -np.inf]
        return sum(terms, Decimal(0))


@pytest.mark.parametrize(("count", "height"), [(1, 3), (2, 0.7), (16, 8), (301, 4.095), (300, 100)])
def test_the_row_is_what_its_name_says(one_pass, count, height):
    rows = {}
    for kind in ROWS:
        enter(one_pass, row=kind, count=count, height=height)
        rows[kind] = logits(one_pass)
    rising = np.float32(height * np.arange(count) / max(count - 1, 1))
    np.testing.assert_array_equal(rows["rising"], rising)
    np.testing.assert_array_equal(rows["falling"], rising[::-1])
    np.testing.assert_array_equal(np.sort(rows["shuffled"]), rising)
    np.testing.assert_array_equal(rows["late"], np.float32([0] * (count - 1) + [height]))
    assert count < 16 or (rows["shuffled"] != rising).any()


def test_the_rising_row_is_that_of_the_chapter(one_pass):
    press(one_pass, "rising row")
    np.testing.assert_array_equal(logits(one_pass), (np.arange(4096) / 1000).astype(np.float32))


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("lead", [0, 0.3, 8])
@pytest.mark.parametrize("block", [1, 7, 8, 64, 129, 300, 4096])
def test_every_pair_has_the_bits_of_the_package(one_pass, exp, row, lead, block):
    for count, height, masked in [(150, 4.095, 0), (301, 30, 70), (300, 0, 8), (9, 1, 9)]:
        values = {"row": row, "count": count, "height": height, "masked": masked}
        enter(one_pass, lead=lead, block=block, guard="yes", **values)
        x = logits(one_pass)
        assert np.isneginf(x[:masked]).all() and np.isfinite(x[masked:]).all()
        np.testing.assert_array_equal(states(one_pass), pairs(x, block, lead))


@pytest.mark.parametrize("block", [64, 4096])
def test_long_rows_in_blocks_have_the_bits_of_the_package(one_pass, exp, block):
    press(one_pass, "rising row")
    enter(one_pass, block=block)
    np.testing.assert_array_equal(states(one_pass), pairs(logits(one_pass), block, 0))


@pytest.mark.parametrize(("block", "masked"), [(1, 0), (1, 3), (4, 3), (4, 4), (4, 9), (4, 16)])
def test_without_the_guard_every_pair_is_that_of_the_formula(one_pass, exp, block, masked):
    enter(one_pass, row="shuffled", count=16, block=block, masked=masked, guard="no")
    x, found, m, s = logits(one_pass), [[-np.inf, 0.0]], None, None
    with np.errstate(invalid="ignore"):
        for part in x.reshape(-1, block):
            top = np.max(part)
            new = np.sum(exp_exact(part - top))
            if m is None:
                m, s = top, new
            else:
                old, m = m, max(m, top)
                s = s * exp_exact(old - m) + new * exp_exact(top - m)
            found.append([float(m), float(s)])
    np.testing.assert_array_equal(states(one_pass), found)
    assert np.isnan(found[-1][1]) == (masked >= block)
    assert one_pass.evaluate("e => e.steps") == 16 // block


@pytest.mark.parametrize(
    "values",
    [
        {"count": 40, "height": 4.095},
        {"count": 40, "height": 4.095, "lead": 8},
        {"row": "shuffled", "count": 200, "height": 40, "block": 64, "masked": 65},
        {"row": "late", "count": 64, "height": 88, "lead": 100},
        {"row": "falling", "count": 100, "height": 100, "block": 3},
    ],
)
def test_the_table_shows_the_pair_its_exact_sum_and_its_error(one_pass, values):
    enter(one_pass, **values)
    x, block = logits(one_pass), values.get("block", 1)
    found = states(one_pass)
    rescaled = [0]
    for (m, s), (after, _) in itertools.pairwise(found):
        rescaled.append(rescaled[-1] + bool(s > 0 and after > m))
    for step in sorted({1, 2, len(found) // 2, len(found) - 1}):
        enter(one_pass, step=step)
        read = min(step * block, len(x))
        m, s = found[step]
        exact = exact_sum(x[:read], m) if m > -np.inf else Decimal(0)
        error = abs(Decimal(s) / exact - 1) / Decimal(U) if exact else Decimal(0)
        row = cells(one_pass)[0]
        assert int(row[0].replace(",", "")) == read and int(row[5]) == rescaled[step]
        for text, value in [(row[1], m), (row[2], s), (row[4], float(exact))]:
            assert float(text) == pytest.approx(value, rel=6e-8, abs=0)
        # An error of fp64 and of its few hundred terms, and the last of three digits.
        assert float(row[3]) == pytest.approx(float(error), rel=6e-3, abs=1e-5)


@pytest.mark.parametrize(
    ("button", "error", "rescaled", "words"),
    [
        ("rising row", "363", "4,095", "m moves, the old sum shrinks by the factor 0.999 to"),
        ("lead of 8", "11.2", "0", "by 4.095, not by more than 8: m remains, nothing shrinks"),
        ("blocks of 64", "5.63", "63", "A block of 64 numbers, the largest of them 4.095, is"),
        ("falling row", "21.2", "0", "The number 0 is not ahead of m: nothing shrinks"),
        ("one late logit", "0.119", "1", "the old sum shrinks by the factor 4.54e-5 to 0.0028602"),
        ("masked, no guard", "nan", "0", "s is nan for ever, since each new sum contains the old"),
        ("masked, guard", "0.351", "1", "The end: m + log s is 9.0856991, and the exact value is"),
    ],
)
def test_a_button_shows_what_its_name_promises(one_pass, button, error, rescaled, words):
    enter(one_pass, row="late", lead=3, masked=2, guard="no", block=5, step=3)
    press(one_pass, button)
    assert one_pass.locator("[name=step]").input_value() == "0"
    assert says(one_pass) == "Nothing has been read: m is -∞ and s is 0. Press “Step” to read on."
    press(one_pass, "All")
    assert cells(one_pass)[0][3::2] == [error, rescaled]
    assert words in says(one_pass)


def test_the_error_of_the_rising_row_is_that_of_an_exact_sum(one_pass):
    press(one_pass, "rising row")
    m, s = states(one_pass)[-1]
    error = abs(Decimal(s) / exact_sum(logits(one_pass), m) - 1) / Decimal(U)
    assert one_pass.evaluate("e => e.error(4096)") == pytest.approx(float(error), abs=1e-4)
    assert round(error) == 363


def test_the_old_sum_shrinks_when_the_maximum_moves(one_pass):
    enter(one_pass, step=1)
    assert says(one_pass) == "The number 0 sets m, and s is 1."
    press(one_pass, "Step")
    factor = math.exp(-8 / 15)
    assert says(one_pass) == (
        "The number 0.53333 is ahead of m by 0.53333: m moves, the old sum shrinks by the factor "
        f"{factor:.5g} to {factor:.5g}, and 1 is added."
    )
    widths = """e => [...e.querySelectorAll("svg rect[height='9']")]
        .map((bar) => Number(bar.getAttribute("width")))"""
    before, old, fresh = one_pass.evaluate(widths)
    assert old / before == pytest.approx(factor) and fresh == pytest.approx(before)
    assert old + fresh == pytest.approx(324)


def test_a_lead_keeps_m_until_a_number_is_further_ahead(one_pass):
    enter(one_pass, row="late", count=4, height=8, lead=8)
    press(one_pass, "All")
    assert "is ahead of m by 8, not by more than 8: m remains" in says(one_pass)
    enter(one_pass, height=8.5)
    assert "is ahead of m by 8.5: m moves" in says(one_pass)


def test_a_lead_beyond_the_range_of_the_exponential_is_named(one_pass):
    enter(one_pass, row="late", count=4, height=95, lead=99, step=4)
    assert cells(one_pass)[0][2:4] == ["inf", "inf"]
    assert "That is beyond fp32, which ends at 3.4028e38: the lead is too large." in says(one_pass)
    assert "NaN" not in one_pass.locator("svg").inner_html()


def test_a_masked_block_adds_nothing_with_the_guard_and_nan_without(one_pass):
    press(one_pass, "masked, guard")
    press(one_pass, "Step")
    assert says(one_pass) == "A block of 8 numbers is masked, and adds 0."
    assert cells(one_pass)[0] == ["8", "-inf", "0", "0", "0", "0"]
    press(one_pass, "masked, no guard")
    press(one_pass, "Step")
    assert says(one_pass) == "All that was read is masked, so m is -∞. And -∞ - (-∞) is nan."
    assert cells(one_pass)[0] == ["8", "-inf", "nan", "nan", "0", "0"]
    press(one_pass, "Step")
    row = cells(one_pass)[0]
    assert float(row[1]) > 0 and row[2] == "nan" and float(row[4]) > 1
    assert "NaN" not in one_pass.locator("svg").inner_html()


def test_a_row_with_nothing_in_it_ends_at_minus_infinity(one_pass):
    enter(one_pass, masked=16, step=16)
    assert says(one_pass) == (
        "The number -∞ is masked, and adds 0. "
        "The end: m + log s is -inf, and the exact value is -inf. The error of s is 0 u."
    )


def test_it_plays_in_silence_and_tells_at_the_end(one_pass):
    play_four_steps(one_pass)
    assert "The end: " in says(one_pass)


def test_where_nothing_may_move_it_plays_to_the_end_at_once(one_pass):
    one_pass.page.emulate_media(reduced_motion="reduce")
    press(one_pass, "Play")
    assert one_pass.locator("[name=step]").input_value() == "16"
    assert "The end: " in says(one_pass)
    expect(one_pass.locator("[data-go=play]")).to_have_text("Play")
    one_pass.page.emulate_media(reduced_motion="no-preference")


def test_a_change_of_the_row_starts_it_again(one_pass):
    press(one_pass, "All")
    one_pass.get_by_label("Row").select_option("falling")
    assert one_pass.locator("[name=step]").input_value() == "0"
    one_pass.get_by_role("slider", name="Steps").press("ArrowRight")
    assert one_pass.locator("[name=step]").input_value() == "1"
    assert cells(one_pass)[0][:3] == ["1", "8", "1"]


def test_a_number_that_makes_no_row_is_asked_for(one_pass):
    for name, typed, asked in [
        ("count", "0", "“Numbers” must be a whole number from 1 to 4096."),
        ("height", "-1", "“Largest number” must be a number from 0 to 100."),
        ("block", "2.5", "“Block size” must be a whole number from 1 to 4096."),
        ("lead", "-1", "“Lead to rescale” must be a number from 0 to 100."),
        ("masked", "", "“Masked first” must be a whole number from 0 to 4096."),
    ]:
        before = cells(one_pass)
        one_pass.locator(f"[name={name}]").fill(typed)
        assert says(one_pass) == f"{asked} The table has not changed." and cells(one_pass) == before
        reset(one_pass)


def test_reset_brings_back_the_first_row(one_pass):
    before = cells(one_pass)
    press(one_pass, "masked, no guard")
    press(one_pass, "All")
    reset(one_pass)
    assert cells(one_pass) == before
    assert one_pass.locator("[name=count]").input_value() == "16"
    assert one_pass.locator("[name=step]").get_attribute("max") == "16"


def test_every_control_is_reached_by_tab_and_answers_to_the_keyboard(one_pass):
    walk_by_tab(one_pass)


def test_a_step_is_shown_within_a_frame(one_pass):
    press(one_pass, "rising row")
    twenty = "e => { for (let i = 0; i < 20; i += 1) e.set({ step: 200 * i }); }"
    assert busy(one_pass, twenty) / 20 < 16


def test_its_script_is_small():
    script = (BOOK / "explorables" / "explore_one_pass.js").read_bytes()
    assert len(gzip.compress(script, mtime=0)) < 5000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_its_page_without_a_jump_and_is_accessible(browser, tmp_path, width, scheme):
    address = own_page(tmp_path, "one_pass", scheme)
    page, requests, problems = open_page(browser, address, width, scheme)
    element = page.locator("explore-one_pass")
    check_opening(element, requests, problems)
    height = element.bounding_box()["height"]
    for name in ["rising row", "blocks of 64", "masked, no guard"]:
        press(element, name)
        press(element, "All")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert element.bounding_box()["height"] == height, "what follows does not move"
        assert not problems
    for name in ["rising row", "masked, no guard"]:
        press(element, name)
        press(element, "All")
        assert run_axe(page) == []  # its own requests for the style fail in a page without a server
    page.context.close()
