"""Add them up: every sum is that of NumPy and ml_dtypes, bit for bit, and every loss is exact."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from playwright.sync_api import expect

from stable_softmax import FORMATS, round_to
from stable_softmax.measure.conditioning import sum_pairwise, sum_sequential
from tests.site.own_page import (
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

SHORT = ["fp32", "fp16", "bf16", "e5m2", "e4m3"]
ORDERS = ["left", "halves", "kahan", "wide"]
SUMS = [  # terms, value, what a term is, the single 1
    (1, 0.1, "number", ""),
    (2, 1, "number", "last"),
    (7, 0.3, "number", "first"),
    (301, 1, "number", ""),
    (600, -3.3, "exp", "last"),
    (600, -7, "exp", "first"),
    (300, 2.5, "exp", ""),  # too large for fp8
]


KIND = "add"


@pytest.fixture
def add(place):
    return reset(place)


def value(number, kind):
    """The term as typed, to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        return Decimal(number).exp() if kind == "exp" else Decimal(number)


def row(count, number, kind, one, fmt):
    """The terms in the format, in the order in which they are added."""
    terms = [float(value(number, kind))] * count
    terms = {"": terms, "first": [1.0, *terms], "last": [*terms, 1.0]}[one]
    return round_to(np.array(terms), fmt)


def running(terms, order):
    """What the sum is after each step, in NumPy's arithmetic of the format."""
    zero, total = terms.dtype.type(0), None
    if order == "halves":
        sums = [terms[0]]
        while len(terms) > 1:
            half = len(terms) // 2
            pairs = terms[:half] + terms[half : 2 * half]
            terms = np.concatenate([pairs, terms[2 * half :]])
            sums.append(terms[0])
        return np.array(sums).astype(np.float64)
    if order == "wide":
        terms = terms.astype(np.float64 if terms.dtype == np.float32 else np.float32)
        zero = terms.dtype.type(0)
    total, carry, sums = zero, zero, []
    for term in terms:
        if order == "kahan":
            term = term - carry
        before, total = total, total + term
        if order == "kahan":
            carry = (total - before) - term
        assert total.dtype == terms.dtype
        sums.append(total)
    return np.array(sums).astype(np.float64)


@pytest.mark.parametrize("fmt", SHORT)
@pytest.mark.parametrize("order", ORDERS)
def test_every_partial_sum_has_the_bits_of_numpy(add, fmt, order):
    for count, number, kind, one in SUMS:
        enter(
            add, count=count, term=number, one=one, format=fmt, order=order, step=0, **{"as": kind}
        )
        held = np.array(add.evaluate("e => [...e.held]"))
        terms = row(count, number, kind, one, fmt)
        with np.errstate(all="ignore"):
            expected = running(terms, order)
        np.testing.assert_array_equal(held, [0, *expected])
        if order in ("left", "halves"):
            book = {"left": sum_sequential, "halves": sum_pairwise}[order]
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(held[-1], float(book(terms)[0]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("count", "number", "kind", "one"), SUMS[:6])
def test_what_is_lost_is_the_exact_sum_minus_the_computed_one(add, order, count, number, kind, one):
    enter(add, count=count, term=number, one=one, format="fp16", order=order, **{"as": kind})
    steps = int(add.locator("[name=step]").get_attribute("max"))
    for step in sorted({1, steps // 2, steps}):
        if step == 0:
            continue
        enter(add, step=step)
        terms, *texts = cells(add)[0]
        terms = int(terms.replace(",", ""))
        ones = 1 if one == "first" or (one and terms == count + 1) else 0
        with localcontext() as context:
            context.prec = 60
            exact = value(number, kind) * (terms - ones) + ones
            stored = Decimal(float(round_to(float(value(number, kind)), "fp16")))
            stored = stored * (terms - ones) + ones
            held = add.evaluate("(e, step) => e.held[step]", step)
            computed = Decimal(float(round_to(held, "fp16")))
            expected = [exact, computed, exact - stored, stored - computed]
        for text, number_, digits in zip(texts, expected, [8, 8, 3, 3], strict=True):
            if kind == "number" and number in (0.1, 0.3) and abs(number_) < Decimal("1e-20"):
                number_ = Decimal(0)
            half = Decimal("0.5001").scaleb((number_.adjusted() if number_ else -60) - digits + 1)
            assert abs(Decimal(text) - number_) <= half, (text, number_)


@pytest.mark.parametrize(
    ("button", "total", "words"),
    [
        ("10,000 ones in bf16", "256", "The end: 256 instead of 10000, wrong by 97 %."),
        ("3000 ones in fp16", "2048", "The end: 2048 instead of 3000, wrong by 32 %."),
        (
            "1 + 50,000 · exp(−16.7) in fp32",
            "1",
            "The end: 1 instead of 1.0027942, wrong by 0.28 %.",
        ),
        ("rounding 0.1", "0.10009766", "0 + 0.1 = 0.10009766, the nearest number, 9.77e-5 off."),
        ("a subnormal", "5.9604645e-8", "The number is subnormal: it has fewer digits."),
    ],
)
def test_a_button_shows_where_a_sum_stops(add, button, total, words):
    enter(add, order="kahan", step=3)
    press(add, button)
    assert add.locator("[name=step]").input_value() == "0"
    assert says(add).startswith("The exact sum will be ")
    press(add, "All")
    assert cells(add)[0][2] == total
    assert words in says(add)


def test_a_term_that_is_half_a_spacing_is_lost_to_the_even_number(add):
    enter(add, step=256)
    assert says(add) == "255 + 1 = 256, without an error."
    press(add, "Step")
    assert says(add) == (
        "Lost: 256 + 1 = 256, because the term is half the spacing 2, and the tie goes to the even "
        "number. All further terms are lost as well."
    )
    assert cells(add)[0] == ["257", "257", "256", "0", "1"]
    enter(add, term=0.9, step=400)
    assert "because the term is less than half the spacing 2." in says(add)


@pytest.mark.parametrize(
    ("order", "one", "total"),
    [("left", "first", 1), ("left", "last", 1.0027942), ("halves", "first", 1.0027942),
     ("kahan", "first", 1.0027942), ("wide", "first", 1.0027942)],
)  # fmt: skip
def test_every_other_order_keeps_fifty_thousand_small_terms(add, order, one, total):
    press(add, "1 + 50,000 · exp(−16.7) in fp32")
    enter(add, order=order, one=one)
    press(add, "All")
    assert float(cells(add)[0][2]) == pytest.approx(total, rel=2e-6)
    exact = 1 + 50_000 * math.exp(-16.7)
    is_nearest = add.evaluate("e => Math.fround(e.held.at(-1))") == float(np.float32(exact))
    assert is_nearest == (order in ("kahan", "wide"))
    assert says(add).endswith("the nearest number." if is_nearest else " %.")


def test_a_negative_term_falls_to_the_left(add):
    enter(add, count=300, term=-0.002, one="first", format="bf16", step=2)
    assert says(add) == "1 - 0.0019989014 = 0.99609375, the nearest number, 0.00191 off."
    terms = row(300, -0.002, "number", "first", "bf16")
    np.testing.assert_array_equal(add.evaluate("e => [...e.held]")[1:], running(terms, "left"))


def test_kahan_says_what_it_carries_and_a_wider_format_what_it_holds(add):
    enter(add, order="kahan", step=257)
    assert says(add).endswith("Kahan keeps 1 for the next term.")
    press(add, "Step")
    assert says(add) == "256 + 2 = 258, without an error."
    enter(add, order="wide", step=257)
    assert (
        says(add) == "256 + 1 = 257, without an error. This is the sum in fp32; in bf16 it is 256."
    )


def test_a_round_by_halves_is_one_step(add):
    enter(add, order="halves")
    assert add.locator("[name=step]").get_attribute("max") == "15"
    press(add, "All")
    assert says(add).startswith("Round 14: a partial sum has up to 10,000 terms. 8192 + 1808 = ")


@pytest.mark.parametrize(
    ("fmt", "word", "largest"), [("fp16", "inf", "65504"), ("e4m3", "nan", "448")]
)
def test_a_sum_that_leaves_the_format_is_named(add, fmt, word, largest):
    enter(add, term=10000, format=fmt)
    press(add, "All")
    assert says(add) == f"The sum is {word}, because {fmt} ends at {largest}."
    assert cells(add)[0][2:] == [word, "", ""]
    enter(add, one="first", step=1)
    assert "1 = 1, without an error" in says(add)
    assert "NaN" not in add.locator("svg").inner_html()


@pytest.mark.parametrize(("fmt", "step"), [("bf16", 200), ("fp16", 200), ("e4m3", 20), ("fp32", 9)])
def test_the_ticks_are_the_neighbours_of_the_sum_and_all_of_them(add, fmt, step):
    enter(add, format=fmt, step=step, term=1)
    total = add.evaluate("(e, step) => e.held[step]", step)
    path = """e => [...e.querySelectorAll("svg path")].map((p) => p.getAttribute("d"))
        .filter((d) => / 56V68$/.test(d)).map((d) => parseFloat(d.slice(1)))"""
    ticks = sorted(set(add.evaluate(path)))
    spacing = 2.0 ** (math.floor(math.log2(total)) - FORMATS[fmt].precision + 1)
    shown = [total + (x - 170) / 44 * spacing for x in ticks]
    wide = np.arange(-16, 17) / 4 * spacing + total  # halves of the spacing and what is no number
    numbers = {
        v for v in wide if float(round_to(v, fmt)) == v and abs(v - total) / spacing * 44 < 166
    }
    np.testing.assert_allclose(shown, sorted(numbers))


def test_it_plays_in_silence_and_tells_at_the_end(add):
    play_four_steps(add)
    assert says(add).endswith("The end: 4 instead of 4, the nearest number.")
    button = add.locator("[data-go=play]")
    button.press("Enter")  # once more, from the start
    expect(button).to_have_text("Pause")
    reset(add)
    expect(button).to_have_text("Play")
    assert add.locator("[name=step]").input_value() == "0"


def test_a_change_of_the_sum_starts_it_again(add):
    press(add, "All")
    add.get_by_label("Format").select_option("fp16")
    assert add.locator("[name=step]").input_value() == "0"
    add.get_by_role("slider", name="Steps").press("ArrowRight")
    assert add.locator("[name=step]").input_value() == "1"
    assert cells(add)[0][0] == "1"


def test_a_number_that_makes_no_sum_is_asked_for(add):
    for name, typed, asked in [
        ("count", "0", "“Terms” must be a whole number from 1 to 1e5."),
        ("count", "2.5", "“Terms” must be a whole number from 1 to 1e5."),
        ("term", "10001", "“Value” must be a number from -10000 to 10000."),
        ("step", "10001", "“Steps” must be a whole number from 0 to 10000."),
    ]:
        before = cells(add)
        add.locator(f"[name={name}]").fill(typed)
        assert says(add) == f"{asked} The table has not changed." and cells(add) == before
        reset(add)


def test_every_control_is_reached_by_tab_and_answers_to_the_keyboard(add):
    walk_by_tab(add)


def test_a_step_is_shown_within_a_frame(add):
    enter(add, order="kahan", count=10_000)
    twenty = "e => { for (let i = 0; i < 20; i += 1) e.set({ step: 300 * i }); }"
    assert busy(add, twenty) / 20 < 16


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_its_page_without_a_jump_and_is_accessible(browser, tmp_path, width, scheme):
    page, requests, problems = open_page(browser, own_page(tmp_path, "add", scheme), width, scheme)
    element = page.locator("explore-add")
    check_opening(element, requests, problems)
    for step in [1, 300, 0]:
        enter(element, step=step)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert not problems
    for step in [0, 300]:
        enter(element, step=step)
        assert run_axe(page) == []  # its own requests for the style fail in a page without a server
    page.context.close()
