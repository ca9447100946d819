"""The bench for masks, axes and temperatures shows what the functions of the book return."""

import itertools
import math

import numpy as np
import pytest

from stable_softmax import FORMATS, round_to, softmax_shifted
from stable_softmax.special_values import (
    softmax_added,
    softmax_filled,
    softmax_masked,
    softmax_masked_late,
)
from tests.site.own_page import (
    busy,
    cells,
    check_opening,
    enter,
    own_page,
    press,
    reset,
    says,
    walk_by_tab,
)
from tests.site.visit import open_page, run_axe

LOGITS = np.array([[2, 1, 0.1, 0], [1, 3, 2, -1], [0, 1, 2, 3]])
NONE = np.ones((3, 4), dtype=bool)
PADDED = NONE.copy()
PADDED[:2, 3] = False
EMPTY_ROW = NONE.copy()
EMPTY_ROW[2] = False
EMPTY_COLUMN = NONE.copy()
EMPTY_COLUMN[:, 1] = False
FILLS = ["-1e4", "-1e9", "least", "-Infinity"]
FUNCTIONS = {
    "early": lambda x, mask, fill, axis: softmax_masked(x, mask, axis),
    "fill": softmax_filled,
    "add": softmax_added,
    "late": lambda x, mask, fill, axis: softmax_masked_late(x, mask, axis),
}
MINUS_INFINITY = FILLS[3]


KIND = "mask"


@pytest.fixture
def mask(place):
    return reset(place)


@pytest.fixture(autouse=True)
def special_values_are_meant():
    with np.errstate(all="ignore"):
        yield


def table(mask, logits):
    """The values of the controls in the table."""
    values = {f"x{r}{c}": float(logits[r, c]) for r in range(3) for c in range(4)}
    return values | {f"on{r}{c}": bool(mask[r, c]) for r in range(3) for c in range(4)}


def results(element, name, many):
    """Return a table of the element for each of many settings."""
    code = "(e, [name, many]) => many.map((values) => { e.set(values); return e[name]; })"
    return np.array(element.evaluate(code, [name, many]), dtype=np.float64)


def expected(logits, mask, fmt, *, axis, how, fill, times, T, offset):
    """What the functions of the book return."""
    x = round_to(logits + offset, fmt) / round_to(T, fmt)
    fill = -FORMATS[fmt].largest if fill == "least" else float(fill)
    p = FUNCTIONS[how](x, mask, fill, axis)
    return softmax_shifted(p, axis) if times == 2 else p


SETTINGS = [(1, 0), (0.1, 3), (4, -20_000), (0.5, 2000)]  # temperature, offset
CASES = list(itertools.product([-1, 0], FUNCTIONS, [1, 2]))


def fills_of(how):
    """The fills that the function of the book takes."""
    return [MINUS_INFINITY] if how == "late" else FILLS


@pytest.mark.parametrize("fmt", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize(("axis", "how", "times"), CASES)
def test_the_probabilities_are_those_of_the_package(mask, fmt, axis, how, times):
    rng = np.random.default_rng(0)
    many, rows = [], []
    for taking_part in [NONE, PADDED, EMPTY_ROW, EMPTY_COLUMN, rng.random((3, 4)) < 0.6]:
        logits = rng.normal(size=(3, 4)).round(2) * 3
        for fill, (t, offset) in itertools.product(fills_of(how), SETTINGS):
            settings = {"axis": axis, "how": how, "fill": fill, "times": times}
            settings |= {"T": t, "offset": offset}
            many.append(settings | {"format": fmt} | table(taking_part, logits))
            p = expected(logits, taking_part, fmt, **settings)
            rows.append(np.asarray(p).astype(np.float64))
    # NumPy's exp of fp32 depends on the processor, by a few ulp.
    tolerance = 2e-6 if fmt == "fp32" else 0
    np.testing.assert_allclose(results(mask, "p", many), rows, rtol=tolerance)


@pytest.mark.parametrize(("axis", "how", "times"), CASES)
def test_the_gradient_is_that_of_autograd_and_nan_where_autograd_finds_nan(mask, axis, how, times):
    torch = pytest.importorskip("torch")
    many, rows = [], []
    for taking_part in [NONE, PADDED, EMPTY_ROW, EMPTY_COLUMN]:
        for fill, t in itertools.product(fills_of(how), [1, 0.5]):
            settings = {"axis": axis, "how": how, "fill": fill, "times": times, "T": t}
            many.append(settings | table(taking_part, LOGITS))
            x = torch.tensor(LOGITS, dtype=torch.float32, requires_grad=True)
            number = -FORMATS["fp32"].largest if fill == "least" else float(fill)
            p = FUNCTIONS[how](x / t, torch.tensor(taking_part), number, axis)
            p = softmax_shifted(p, axis) if times == 2 else p
            torch.diagonal(p).sum().backward()
            rows.append(x.grad.numpy())
    assert how != "late" or np.isnan(rows).any()
    np.testing.assert_allclose(results(mask, "slope", many), rows, rtol=1e-5, atol=1e-6)


def test_the_table_shows_probabilities_sums_argmax_and_loss(mask):
    p = softmax_shifted(np.float32(LOGITS))
    shown = cells(mask)
    for r in range(3):
        np.testing.assert_allclose([float(t) for t in shown[r][1:5]], p[r], rtol=6e-3)
        assert shown[r][5] == "1"
    np.testing.assert_allclose([float(t) for t in shown[3][1:5]], p.sum(axis=0), rtol=6e-3)
    rows = cells(mask, 1)
    assert [row[1] for row in rows] == ["1", "2", "4"]
    losses = -np.log(np.diag(p))
    np.testing.assert_allclose([float(row[2]) for row in rows], losses, rtol=6e-3)
    assert [row[3] for row in rows] == ["0"] * 3
    assert says(mask) == "Right: each row sums to 1, and what is masked gets 0."


@pytest.mark.parametrize(("axis", "n"), [(-1, 4), (0, 3)])
def test_no_loss_of_two_softmaxes_falls_below_its_floor(mask, axis, n):
    sure = np.zeros((3, 4))
    np.fill_diagonal(sure, 90)
    enter(mask, axis=axis, times=2, **table(NONE, sure))
    floor = math.log1p((n - 1) / math.e)
    for _, _, loss, shown in cells(mask, 1):
        assert float(shown) == pytest.approx(floor, abs=5e-5)
        assert float(loss) == pytest.approx(floor, abs=5e-4)


@pytest.mark.parametrize(
    ("button", "words"),
    [
        ("wrong axis", "Wrong axis: each column sums to 1, so the samples compete for a class"),
        ("softmax twice", "no loss is below its floor, 0.7437."),
        ("a row without classes", "No entry of row 3 takes part. The finite fill makes all"),
        ("finite fill in fp16", "A masked entry gets the probability 1: the fill -10000 is not"),
        ("offset 2000", "Near 2000 the numbers of bf16 are 8 apart, and the logits have been"),
        (
            "nan comes back",
            "the nan comes back through the branch not taken, since 0 · nan is nan.",
        ),
    ],
)
def test_a_button_shows_what_goes_wrong(mask, button, words):
    enter(mask, T=3, x00=9, on11=False, times=2, format="bf16")
    press(mask, button)
    assert words in says(mask)
    assert mask.locator("[name=T]").input_value() == "1"
    assert mask.locator("[name=x00]").input_value() == "2"
    assert mask.locator("[name=on11]").is_checked()


def test_the_buttons_show_the_numbers_that_their_words_promise(mask):
    press(mask, "wrong axis")
    shown = cells(mask)
    assert shown[3][1:5] == ["1"] * 4 and "1" not in {row[5] for row in shown[:3]}
    press(mask, "a row without classes")
    assert cells(mask)[2][1:] == ["0.25"] * 4 + ["1"]
    press(mask, "offset 2000")
    assert all(row[1:5] == ["0.25"] * 4 for row in cells(mask)[:3])
    press(mask, "finite fill in fp16")
    assert [row[1:5] for row in cells(mask)[:2]] == [["0", "0", "0", "1"]] * 2
    press(mask, "nan comes back")
    assert cells(mask)[2][1:5] == ["nan"] * 4
    mask.locator("[name=view]").select_option("p")
    assert cells(mask)[2][1:5] == ["0"] * 4
    mask.locator("[name=how]").select_option("early")
    mask.locator("[name=view]").select_option("g")
    assert cells(mask)[2][1:5] == ["0"] * 4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"how": "fill"}, "No entry of row 3 takes part. The maximum is -∞, and -∞ - (-∞) is nan."),
        ({"how": "add", "fill": "-1e4"}, "The added fill is a common offset, and masks nothing."),
        ({"how": "late"}, "The result is 0, put in place of what was computed."),
        ({"how": "early"}, "The result is 0, chosen before anything is computed."),
        (
            {"how": "early", "view": "g"},
            "The gradient is that of the sum of the labels' probabilities.",
        ),
        (
            {"format": "fp16", "T": 0.01, "x00": 800},
            "A logit has left the range of fp16: it is inf",
        ),
        (
            {
                "how": "fill",
                "fill": "-1e4",
                "on10": False,
                "on11": False,
                "on12": False,
                "on13": False,
            },
            "No entry of rows 2 and 3 takes part. The finite fill makes all logits equal, and the "
            "result looks like probabilities.",
        ),
        ({"how": "early"}, "A label has the probability 0, so its loss is infinite."),
    ],
)
def test_the_sentence_says_what_became_of_a_row_without_classes(mask, values, words):
    enter(mask, **table(EMPTY_ROW, LOGITS))
    enter(mask, **values)
    assert words in says(mask)


def test_a_fill_that_the_format_does_not_have_becomes_infinite(mask):
    enter(mask, format="fp16", how="fill", fill="-1e9", **table(EMPTY_ROW, LOGITS))
    assert cells(mask)[2][1:5] == ["nan"] * 4
    enter(mask, fill="least")
    assert cells(mask)[2][1:5] == ["0.25"] * 4


def test_a_masked_class_comes_back_in_the_second_softmax(mask):
    enter(mask, times=2, **table(PADDED, LOGITS))
    assert float(cells(mask)[0][4]) > 0.1


def test_a_finger_masks_a_class(browser, tmp_path):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(own_page(tmp_path, "mask"))
    element = page.locator("explore-mask")
    box = element.get_by_role("checkbox", name="Takes part, class 4 of row 1")
    assert min(box.bounding_box()["width"], box.bounding_box()["height"]) >= 24
    box.tap()
    assert not box.is_checked() and cells(element)[0][4] == "0"
    context.close()


def test_a_missing_logit_is_asked_for(mask):
    before = cells(mask)
    mask.locator("[name=x12]").fill("")
    assert says(mask) == (
        "“Logit, class 3 of row 2” must be a number from -1e6 to 1e6. The table has not changed."
    )
    assert cells(mask) == before
    mask.locator("[name=x12]").fill("-4.5")
    assert cells(mask) != before
    mask.locator("[name=T]").fill("0")
    assert "“Temperature” must be a number from 0.01 to 10." in says(mask)


def test_reset_brings_back_logits_masks_and_choices(mask):
    before = cells(mask)
    press(mask, "nan comes back")
    enter(mask, x00=7, offset=-300, T=2)
    reset(mask)
    assert cells(mask) == before
    assert mask.get_by_role("checkbox", checked=False).count() == 0
    assert mask.locator("[name=how]").input_value() == "early"


def test_every_control_is_reached_by_tab_and_answers_to_the_keyboard(mask):
    walk_by_tab(mask)


def test_a_change_is_shown_within_a_frame(mask):
    twenty = "e => { for (let i = 0; i < 20; i += 1) e.set({ offset: 100 * i }); }"
    assert busy(mask, twenty) / 20 < 16


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_its_page_without_a_jump_and_is_accessible(browser, tmp_path, width, scheme):
    page, requests, problems = open_page(browser, own_page(tmp_path, "mask", scheme), width, scheme)
    element = page.locator("explore-mask")
    check_opening(element, requests, problems)
    buttons = ["wrong axis", "finite fill in fp16", "nan comes back"]
    for name in buttons:
        press(element, name)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert not problems
    for name in buttons:
        press(element, name)
        assert run_axe(page) == []  # its own requests for the style fail in a page without a server
    page.context.close()
