"""The format explorer and the order of operations show what the functions of the book return."""

import numpy as np
import pytest

from stable_softmax import (
    FORMATS,
    absolute_error,
    log_softmax_exact,
    log_softmax_from_logsumexp,
    log_softmax_shifted,
    round_to,
    softmax_exact,
    softmax_naive,
    softmax_shifted,
    ulp_error,
)
from tests.site.own_page import own_page


@pytest.fixture
def formats(explorable):
    return explorable("formats")


@pytest.fixture
def order(explorable):
    return explorable("order")


def enter(element, **values):
    """Set controls as the buttons do."""
    element.evaluate("(element, values) => element.set(values)", values)


def table(element):
    """The rows of the table as {head: texts}."""
    rows = element.evaluate(
        """(element) => [...element.querySelectorAll("tbody tr")]
            .map((row) => [...row.cells].map((cell) => cell.textContent.trim()))"""
    )
    return {head: cells for head, *cells in rows}


def numbers(texts):
    return np.array([float(text.replace("\N{MINUS SIGN}", "-")) for text in texts])


def assert_shown(texts, values, digits=4):
    values = np.asarray(values).astype(np.float64)
    np.testing.assert_allclose(numbers(texts), values, rtol=0.51 * 10.0 ** (1 - digits), atol=0)


def zone(element):
    return element.locator(".zones .here").inner_text()


def says(element):
    return element.get_by_role("status").inner_text().replace("\N{MINUS SIGN}", "-")


# The format explorer


@pytest.mark.parametrize("fmt", ["fp64", "fp32", "fp16", "bf16", "e5m2", "e4m3"])
def test_the_table_shows_the_values_of_the_package(formats, fmt):
    f = FORMATS[fmt]
    rng = np.random.default_rng(0)
    limit = 1.1 * f.exp_range[0]
    for typed in rng.uniform(-limit, limit, (8, 3)).round(2):
        enter(formats, format=fmt, **dict(zip(["x1", "x2", "x3"], typed.tolist(), strict=True)))
        x = round_to(typed, fmt)
        with np.errstate(all="ignore"):
            e, naive, shifted = np.exp(x), softmax_naive(x), softmax_shifted(x)
            total = e.sum()
        shown = table(formats)
        columns = zip(*list(shown.values())[:3], strict=True)
        values = [x, e, naive, shifted, softmax_exact(x, dtype="fp64")]
        for column, value in zip(columns, values, strict=True):
            normal = np.asarray(value).astype(np.float64)
            normal = ~(np.abs(normal) < 1e-300) | (normal == 0)  # subnormal exact values show more
            assert_shown(np.array(column)[normal], value[normal], 4)
        assert_shown(shown["sum"][1:2], [total])


@pytest.mark.parametrize("fmt", ["fp64", "fp32", "bf16", "fp16"])
def test_the_zone_is_the_one_that_the_exercise_of_chapter_underflow_predicts(formats, fmt):
    _, subnormal_below, zero_below = FORMATS[fmt].exp_range
    enter(formats, format=fmt)
    for c in np.arange(np.floor(zero_below) - 2, np.ceil(subnormal_below) + 5).tolist():
        enter(formats, x1=c, x2=c - 1, x3=c - 2)
        if c < zero_below:
            expected = "nan"
        elif c - 2 < zero_below:
            expected = "zeros"
        else:
            expected = "gray zone" if c - 2 < subnormal_below else "right"
        assert zone(formats) == expected, c


@pytest.mark.parametrize(
    ("fmt", "logits", "expected", "words"),
    [
        ("fp64", [1000, 1000, 100], "nan", "inf / inf is nan"),
        ("fp64", [-1000, -1001, -1002], "nan", "0 / 0 is nan"),
        ("fp32", [88.7, 88.7, 0], "zeros", "their sum overflows to inf"),
        ("fp16", [11, 11, 0], "zeros", "their sum overflows to inf"),
        ("e4m3", [5.9, 5.9, 5], "nan", "the sum of the exponentials overflows to nan"),
        ("e4m3", [7, 1, 0], "nan", "since e4m3 has no infinity"),
        ("e4m3", [500, 1, 0], "nan", "beyond 448"),
        ("e4m3", [448, -448, 0], "nan", "The shifted softmax is nan as well"),
        ("fp64", [0, -1000, 1], "right", "that zero is right"),
        ("fp32", [0, -1, -95], "right", "naive softmax errs by"),
        ("fp32", [-100, -101, -102], "gray zone", "up to 1e6 ulp, or 8.4 %"),
        ("fp32", [-100, -300, -101], "gray zone", "or 0.49 %"),
        ("fp32", [-100, -99999, -101], "gray zone", "or 0.49 %"),
        ("fp32", [-103, -104, -105], "zeros", "looks too certain, by 33 %"),
        ("fp32", [-0.6, -104.2, -96], "zeros", "where the exact probability is not 0"),
    ],
)
def test_the_sentence_says_what_happens(formats, fmt, logits, expected, words):
    enter(formats, format=fmt, **{f"x{i}": v for i, v in enumerate(logits, start=1)})
    assert zone(formats) == expected
    assert words in says(formats)


def test_each_button_leads_to_the_zone_it_names(formats):
    zones = []
    for button in formats.get_by_role("group", name="Examples").get_by_role("button").all()[:-1]:
        button.click()
        zones.append((button.inner_text(), zone(formats)))
    assert zones == [
        ("nan", "nan"),
        ("silent zeros", "zeros"),
        ("gray zone", "gray zone"),
        ("false certainty", "zeros"),
        ("right", "right"),
    ]


def test_the_keyboard_alone_is_enough(formats):
    keyboard = formats.page.keyboard
    formats.get_by_role("button", name="right").focus()
    keyboard.press("Enter")
    assert zone(formats) == "right"
    formats.get_by_role("slider", name="Logit x₁").focus()
    for _ in range(88):  # a tenth each, from 80 to above 88.72
        keyboard.press("ArrowRight")
    assert formats.locator("[name=x1]").input_value() == "88.8"
    assert zone(formats) == "nan" and table(formats)["x₁"][2] == "nan"
    keyboard.press("Shift+Tab")  # the number before the slider
    keyboard.press("ControlOrMeta+a")
    keyboard.type("-3")
    assert formats.locator("[name=x1-slider]").input_value() == "-3"
    assert zone(formats) == "right" and table(formats)["x₁"][0] == "\N{MINUS SIGN}3"
    formats.get_by_label("Format").focus()
    keyboard.press("ArrowUp")
    assert formats.get_by_label("Format").input_value() == "fp64"
    formats.get_by_role("button", name="Reset").press("Enter")
    formats.page.wait_for_timeout(20)
    assert formats.locator("[name=x1]").input_value() == "1000" and zone(formats) == "nan"


def test_a_missing_number_is_asked_for(explorable, formats, order):
    for typed, missing in [("", True), ("1", False), ("1e9", True), ("-2.5", False)]:
        formats.locator("[name=x1]").fill(typed)
        asked = "“Logit x₁” must be a number from -99999 to 99999." in says(formats)
        assert asked == missing, typed
    for name, typed, asked in [
        ("power", "-1", "“Offset = 2 to the power” must be a whole number from 0 to 60."),
        ("power", "2.5", "“Offset = 2 to the power” must be a whole number from 0 to 60."),
        ("gap", "-5", "“Gap of the logits” must be a number from 0 to 20."),
    ]:
        before = table(explorable("order"))
        order.locator(f"[name={name}]").fill(typed)
        assert says(order) == f"{asked} The table has not changed." and table(order) == before


def test_the_sliders_span_the_range_of_the_format_whatever_is_typed(formats):
    slider = formats.locator("[name=x1-slider]")
    for fmt, limit in [("fp64", "1050"), ("fp32", "150"), ("fp16", "30"), ("e4m3", "10")]:
        enter(formats, format=fmt, x1=99999)
        assert slider.evaluate("e => [e.min, e.max, e.value]") == ["-" + limit, limit, limit]
        above = formats.locator("svg text").first.text_content()
        assert above.endswith("nan" if fmt == "e4m3" else "inf")


def tops(formats):
    """The heights of the four columns, from the floor."""
    columns = formats.locator("svg rect[stroke-width]").all()
    return [float(column.get_attribute("height")) for column in columns]


def test_the_sum_reaches_the_ceiling_before_an_exponential_does(formats):
    columns = """e => [...e.querySelectorAll("svg .hit")].map((r) => +r.getAttribute("x"))"""
    for x1, over in [(88.2, []), (88.6, [262]), (88.8, [42, 262])]:
        enter(formats, format="fp32", x1=x1, x2=87, x3=-50)
        assert formats.evaluate(columns) == over, "the first column, and that of the sum"


def test_what_is_zero_has_no_column_and_each_column_is_as_high_as_its_logit(formats):
    enter(formats, format="fp32", x1=-104, x2=-90, x3=30)
    first, second, third, total = tops(formats)
    assert first == 0 < second < third == total
    # below the cut, a unit is a unit: 86 to the cut, from the border of zero
    assert (third - second) / second == pytest.approx(120 / (np.log(2.0) * 150 - 90), rel=1e-9)


def test_the_switch_lets_the_columns_down_and_the_shifted_softmax_does_not_move(formats):
    enter(formats, format="fp32", x1=88.7, x2=88.7, x3=88)
    p = """e => [...e.querySelectorAll("svg text[font-size='13']")].map((t) => t.textContent)"""
    assert formats.evaluate(p) == ["0", "0", "0"]
    formats.get_by_label("subtract the maximum").check()
    formats.page.wait_for_timeout(600)
    shifted = numbers(formats.evaluate(p))
    np.testing.assert_allclose(shifted, numbers([c[3] for c in table(formats).values()][:3]), 5e-3)
    assert zone(formats) == "right" and not formats.locator("svg .hit").count()
    enter(formats, x1=-3, x2=-3, x3=-3.7)
    assert numbers(formats.evaluate(p)) == pytest.approx(shifted, rel=1e-4)


@pytest.mark.parametrize(
    ("task", "values", "almost"),
    [
        (0, {"format": "fp16", "x1": 11, "x2": 11, "x3": 0}, {"format": "fp32"}),
        (0, {"format": "fp16", "x1": 11, "x2": 11, "x3": 0}, {"x1": 12}),
        (1, {"format": "fp32", "x1": -104, "x2": -105, "x3": -200}, {"x1": 89}),
        (2, {"format": "fp64", "x1": -740, "x2": -750, "x3": -746}, {"x1": -730}),
    ],
)
def test_a_task_is_ticked_when_the_naive_softmax_does_it(browser, tmp_path, task, values, almost):
    page = browser.new_page()
    page.goto(own_page(tmp_path, "formats"))
    element = page.locator("explore-formats")
    ticks = """e => [...e.querySelectorAll("li")].map((li) => li.classList.contains("done"))"""
    for button in element.get_by_role("group", name="Examples").get_by_role("button").all():
        button.click()
    assert element.evaluate(ticks) == [False] * 3, "no example gives an answer away"
    enter(element, **values | almost)
    enter(element, **values, shift=1)
    assert not element.evaluate(ticks)[task]
    enter(element, **values, shift=0)
    assert element.evaluate(ticks) == [i == task for i in range(3)]
    enter(element, x1=0)
    assert element.evaluate(ticks)[task], "what was done stays done"
    page.close()


# The order of operations


@pytest.mark.parametrize("fmt", ["fp64", "fp32", "fp16", "bf16", "e5m2", "e4m3"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [0, 1])
def test_the_ticks_are_the_numbers_of_the_format_and_all_of_them(order, fmt, sign, gap):
    f = FORMATS[fmt]
    ticks = """e => [...e.querySelectorAll("svg path")].map((p) => p.getAttribute("d"))
        .map((d) => /^M(\\S+) 49v14$/.exec(d)).filter(Boolean).map((d) => +d[1])"""
    for power in [max(f.precision - 4, 0), f.precision - 1, f.precision]:
        if 2.0**power > f.largest:
            continue
        enter(order, format=fmt, power=power, sign=sign, gap=gap)
        offset = sign * 2.0**power
        m = max(float(v) for v in round_to([offset, offset - gap], fmt))
        shown = np.array([0, *((x - 90) / 110 for x in order.evaluate(ticks))])
        window = np.unique(m + np.arange(-47, 141) / 64)  # of 1/64: up to there, all are drawn
        numbers_of = window[round_to(window, fmt).astype(np.float64) == window] - m
        clear = 2.0 ** (f.precision - 6) + 1 / 16  # beyond, the ticks are at least 1/32 apart

        def drawn(v, m=m, clear=clear):
            return np.unique(v[(np.abs(m + v) >= clear) & (np.abs(v - 80 / 110) <= 160 / 110)])

        assert len(drawn(numbers_of)) >= 2
        np.testing.assert_allclose(drawn(shown), drawn(numbers_of), atol=1e-9)


@pytest.mark.parametrize(
    ("fmt", "power", "result"),
    [("fp32", 8, "-0.69315"), ("fp32", 22, "-0.5"), ("fp32", 24, "0"), ("bf16", 8, "0")],
)
def test_the_arrow_is_bent_to_the_nearest_tick(order, fmt, power, result):
    enter(order, format=fmt, power=power, gap=0, sign=1)
    drawing = order.locator("svg").text_content().replace("\N{MINUS SIGN}", "-")
    assert f"x - (m + log s) = {result}exact: -0.69315" in drawing
    dot = order.locator("svg circle").first
    m = np.float64(2.0**power)
    ends = float(round_to(m + np.log(2), fmt)) - m
    assert float(dot.get_attribute("cx")) == pytest.approx(90 + 110 * ends, abs=1e-3)


@pytest.mark.parametrize("power", [0, 4, 8, 12, 20, 27])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("gap", [0, 0.5, 5])
def test_both_orders_show_the_values_and_errors_of_the_package(order, power, sign, gap):
    enter(order, power=power, sign=sign, gap=gap)
    for fmt, texts in table(order).items():
        offset = sign * 2.0**power
        x = round_to([offset, offset - gap], fmt)
        if not np.isfinite(x.astype(np.float64)).all():
            assert texts == ["none"] * 7
            continue
        exact = log_softmax_exact(x, dtype="fp64")[1]
        expected = [exact]
        for f in [log_softmax_from_logsumexp, log_softmax_shifted]:
            value = f(x)[1]
            expected += [value, absolute_error(value, exact), ulp_error(value, exact)]
        if fmt == "fp64":  # its errors are below the digits of the reference
            texts, expected = texts[:2] + texts[4:5], expected[:2] + expected[4:5]
        assert_shown(texts, expected, 2)


def test_the_sentence_names_the_formats_that_have_lost_the_result(order):
    enter(order, power=27)
    assert "The offset is 134,217,728." in says(order)
    assert "wrong by more than a quarter in fp32, bf16;" in says(order)
    assert "No logits of this size exist in fp16, e5m2, e4m3." in says(order)
    enter(order, power=53)
    assert "wrong by more than a quarter in fp64, fp32, bf16;" in says(order)
    enter(order, power=0, sign=-1)
    assert "wrong by more than a quarter in no format;" in says(order)
    enter(order, power=2, sign=1, gap=1)  # in e5m2, with three bits, by little more than one ulp
    assert "wrong by more than a quarter in no format;" in says(order)
    enter(order, power=60, sign=-1)
    assert "The offset is -1,152,921,504,606,846,976." in says(order)


def test_the_sentence_says_what_the_rounding_of_the_logits_did_to_the_gap(order):
    enter(order, power=10, gap=5)
    assert "Once rounded, the logits differ by 4 in bf16, 0 in e5m2." in says(order)
    enter(order, power=10, gap=0)
    assert "Once rounded" not in says(order)
