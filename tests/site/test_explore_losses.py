"""The explorables about losses show what the functions of the book return."""

import math

import numpy as np
import pytest
from playwright.sync_api import expect

from stable_softmax import (
    cross_entropy_clamped,
    cross_entropy_epsilon,
    cross_entropy_exact,
    cross_entropy_gradient_complement,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_log1p,
    cross_entropy_shifted,
    cross_entropy_two_step,
    format_of,
    softmax_shifted,
)
from stable_softmax.experiments.recovery import autograd_gradient, samples_behind, steps_to_recover
from stable_softmax.libraries.adapters import gluon_loss, import_mxnet, is_installed

KINDS = ["epsilon", "loss"]
WRONG, SURE = "badly wrong", "sure"
SAMPLES = {  # what the buttons set: logits, label
    "usual": ([2, 1, 0.1], 0),
    WRONG: ([1000, 1, -1000], 2),
    "subnormal p": ([100, 0, -1000], 1),
    SURE: ([17, 0, -1000], 0),
}


@pytest.fixture
def epsilon(explorable):
    return explorable("epsilon")


@pytest.fixture
def loss(explorable):
    return explorable("loss")


def enter(element, **values):
    """Type numbers into their fields, and into a list the beginning of an entry."""
    for name, value in values.items():
        field = element.locator(f"[name={name}]")
        field.focus()
        if field.get_attribute("type") == "number":
            field.press("ControlOrMeta+a")
        element.page.keyboard.type(str(value))


def cells(element, table=0):
    """The rows of a table as {head: texts}."""
    rows = element.locator("table").nth(table).locator("tbody tr").all()
    texts = [[cell.text_content().strip() for cell in row.locator("th, td").all()] for row in rows]
    return {head: values for head, *values in texts}


def says(element):
    return element.get_by_role("status").text_content().replace("\N{MINUS SIGN}", "-")


def number(text):
    return float(text.replace("\N{MINUS SIGN}", "-"))


def assert_shown(text, value, dtype=np.float64):
    """The text is the value to five digits, up to the last bits of NumPy's and PyTorch's exp."""
    if not math.isfinite(value):
        assert text == str(float(value))
        return
    half_a_digit = 0 if value == 0 else 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - 4)
    tolerance = half_a_digit + 4 * format_of(dtype).unit_roundoff * abs(value)
    assert abs(number(text) - value) <= tolerance, (text, value)


@pytest.mark.parametrize(
    ("power", "gaps"), [(-3, [0]), (-7, [-20, 20, 22, 25.5, 90, 104]), (-12, [30]), (-15, [40])]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["fp32", "fp64"])
def test_epsilon_shows_the_losses_gradients_and_steps_of_the_book(epsilon, power, gaps, dtype):
    pytest.importorskip("torch")
    x, labels = samples_behind(gaps, dtype)
    options = {"epsilon": float(f"1e{power}")}
    losses = {
        "from logits": (cross_entropy_shifted, {}),
        "epsilon": (cross_entropy_epsilon, options),
        "clamped": (cross_entropy_clamped, options),
        "log(softmax)": (cross_entropy_two_step, {}),
    }
    exact_gradient = cross_entropy_gradient_exact(x, labels, dtype="fp64")
    steps = steps_to_recover(cross_entropy_gradient_exact, gaps)
    expected = {"exact": (cross_entropy_exact(x, labels, dtype="fp64"), exact_gradient, steps)}
    for name, (function, more) in losses.items():
        gradient = autograd_gradient(function, **more)
        steps = steps_to_recover(gradient, gaps, dtype=dtype)
        with np.errstate(divide="ignore"):
            expected[name] = function(x, labels, **more), gradient(x, labels), steps

    enter(epsilon, power=power, format=format_of(dtype))
    for i, gap in enumerate(gaps):
        enter(epsilon, gap=gap)
        shown = cells(epsilon)
        assert list(shown) == list(expected)
        for name, (values, gradients, steps) in expected.items():
            value, slope, count = shown[name]
            assert_shown(value, values[i], dtype)
            assert_shown(slope, gradients[i, 1], dtype)
            assert count in ({"never", "over 5000"} if np.isinf(steps[i]) else {f"{steps[i]:.0f}"})


def test_the_steps_are_those_of_the_chapter(epsilon):
    for gap, from_logits, with_epsilon in [
        (20, "11", "37"),
        (22, "12", "194"),
        (30, "16", "over 5000"),
    ]:
        enter(epsilon, gap=gap)
        shown = cells(epsilon)
        assert shown["from logits"][2] == from_logits
        assert shown["epsilon"][2] == with_epsilon
        assert shown["clamped"][2] == "never"


@pytest.mark.parametrize(
    ("button", "gap", "power"),
    [
        ("p = ε", 16.118, -7),
        ("ε = 1e−7, gap 22", 22, -7),
        ("ε = 1e−12, gap 30", 30, -12),
        ("p = 0", 104, -7),
    ],
)
def test_a_button_of_epsilon_sets_all_controls(epsilon, button, gap, power):
    enter(epsilon, format="fp64")
    epsilon.get_by_role("button", name=button, exact=True).press("Enter")
    assert number(epsilon.get_by_role("spinbutton", name="Gap").input_value()) == gap
    assert number(epsilon.get_by_role("spinbutton", name="power").input_value()) == power
    assert number(epsilon.get_by_role("slider", name="Gap").input_value()) == pytest.approx(
        gap, abs=0.25
    )
    expect(epsilon.get_by_role("combobox")).to_have_value("fp32")
    assert_shown(
        cells(epsilon)["exact"][0], cross_entropy_exact(*samples_behind(gap), dtype="fp64")
    )


def test_what_is_infinite_is_a_cross(explorable, epsilon):
    crosses = epsilon.locator("svg g.log-softmax path").nth(1)
    assert crosses.get_attribute("d") == "", "the plot ends at a gap of 60"
    enter(epsilon, gap=104)
    assert crosses.get_attribute("d").count("M") == 5  # fp32: gaps of 104, 108, ..., 120
    enter(epsilon, format="fp64")
    assert crosses.get_attribute("d") == ""
    assert cells(explorable("epsilon"))["log(softmax)"][0] == "20"


FORMS = {  # of the second table, in its order
    "log(softmax)": cross_entropy_two_step,
    "log(softmax + ε)": cross_entropy_epsilon,
    "nd.softmax_cross_entropy": lambda x, y: cross_entropy_clamped(x, y, epsilon=1e-8),
    "of log-probabilities": cross_entropy_shifted,
    "default, of logits": cross_entropy_shifted,
    "log1p": cross_entropy_log1p,
    "default, of probabilities": lambda x, y: cross_entropy_shifted(softmax_shifted(x), y),
    "True, of logits": lambda x, y: -x[y],
    "True, of probabilities": lambda x, y: -softmax_shifted(x)[y],
}


@pytest.mark.parametrize("name", [*SAMPLES, "typed", "guess"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["fp32", "fp64"])
def test_loss_shows_the_probabilities_gradients_and_losses_of_the_book(loss, name, dtype):
    logits, label = (
        SAMPLES.get(name) or {"typed": ([-3.25, 7, 11.5], 1), "guess": ([0, 0, 0], 2)}[name]
    )
    enter(
        loss,
        **{f"x{i}": v for i, v in enumerate(logits)},
        label=f"class {label}",
        format=format_of(dtype),
    )
    x = np.array(logits, dtype=dtype)
    columns = [
        softmax_shifted(x),
        cross_entropy_gradient_shifted(x, label),
        cross_entropy_gradient_complement(x, label),
    ]
    for row, expected in zip(cells(loss, 0).values(), zip(*columns, strict=True), strict=True):
        for text, value in zip(row, expected, strict=True):
            assert_shown(text, value, dtype)

    rows = cells(loss, 1)
    exact = rows.pop("exact")
    assert_shown(exact[0], cross_entropy_exact(x, label, dtype="fp64"))
    assert len(rows) == len(FORMS)
    for (head, (text, _)), (form, function) in zip(rows.items(), FORMS.items(), strict=True):
        assert form in head
        with np.errstate(divide="ignore"):
            assert_shown(text, function(x, label), dtype)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_formulas_are_those_of_pytorch(loss, name):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    loss.get_by_role("button", name=name, exact=True).click()
    logits, label = SAMPLES[name]
    x, y = torch.tensor([logits], dtype=torch.float32), torch.tensor([label])
    p = functional.softmax(x, dim=1)
    expected = {
        "of log-probabilities": functional.nll_loss(functional.log_softmax(x, dim=1), y),
        "default, of logits": functional.cross_entropy(x, y),
        "default, of probabilities": functional.cross_entropy(p, y),
        "True, of logits": functional.nll_loss(x, y),
        "True, of probabilities": functional.nll_loss(p, y),
    }
    for form, value in expected.items():
        (text,) = [text for head, (text, _) in cells(loss, 1).items() if form in head]
        assert_shown(text, value.item(), np.float32)


@pytest.mark.skipif(not is_installed("mxnet"), reason="MXNet is not installed")
@pytest.mark.parametrize("name", ["usual", WRONG])
def test_the_formulas_are_those_of_mxnet(loss, name):
    mx = import_mxnet()
    loss.get_by_role("button", name=name, exact=True).click()
    logits, label = SAMPLES[name]
    x, y = np.float32([logits]), np.array([label])
    p = softmax_shifted(x)
    expected = {
        "nd.softmax_cross_entropy": mx.nd.softmax_cross_entropy(
            mx.nd.array(x), mx.nd.array(y)
        ).asscalar(),
        "default, of logits": gluon_loss(x, y)[0],
        "default, of probabilities": gluon_loss(p, y)[0],
        "True, of logits": gluon_loss(x, y, from_logits=True)[0],
        "True, of probabilities": gluon_loss(p, y, from_logits=True)[0],
    }
    for form, value in expected.items():
        (text,) = [text for head, (text, _) in cells(loss, 1).items() if form in head]
        # chapter mxnet: float32 log-softmax through oneDNN is off by some 1e-6
        assert number(text) == pytest.approx(value, abs=1e-5, rel=1e-4)


@pytest.mark.parametrize(
    ("button", "form", "verdict"),
    [
        ("usual", "log(softmax)", "right"),
        ("usual", "log(softmax + ε)", "right to 6 digits"),  # 5 ulp
        ("usual", "True, of logits", "negative"),
        (WRONG, "log(softmax)", "infinite"),
        (WRONG, "log(softmax + ε)", "too small"),
        (WRONG, "default, of logits", "right"),
        (WRONG, "default, of probabilities", "too small"),
        ("subnormal p", "log(softmax)", "right to 3 digits"),
        (SURE, "default, of logits", "zero"),
        (SURE, "log1p", "right"),
        (SURE, "default, of probabilities", "too large"),
    ],
)
def test_a_verdict_says_what_became_of_the_loss(loss, button, form, verdict):
    loss.get_by_role("button", name=button, exact=True).press("Enter")
    assert next(v for head, (_, v) in cells(loss, 1).items() if form in head) == verdict


def test_an_exact_probability_is_never_called_1(loss, epsilon):
    loss.get_by_role("button", name=SURE, exact=True).click()
    assert "the exact probability 1 - 4.1399e-8 and" in says(loss)
    enter(epsilon, gap=-20)
    assert "its probability, 1 - 2.06e-9, is far" in says(epsilon)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (20, "behind by 20, and its probability, 2.06e-9, is far below ε = 1e-7."),
        (20, "the loss is 16.098 instead of 20, the gradient -0.020195 instead of -1."),
        (16.2, "is near ε"),
        (0, "The label is level, and its probability, 0.5, is far above ε"),
        (0, "the loss is 0.69315, the gradient -0.5. Steps until the label wins: 1 with"),
        (-3, "The label is ahead by 3, and"),
    ],
)
def test_the_sentence_of_epsilon_compares_with_the_truth(epsilon, gap, words):
    enter(epsilon, gap=gap)
    assert words in says(epsilon)


@pytest.mark.parametrize("kind", KINDS)
def test_every_control_is_reached_by_tab_and_answers_to_the_keyboard(explorable, kind):
    element = explorable(kind)
    if kind == "loss":  # a sample whose loss feels each of the logits
        enter(element, x0=2, x1=1, x2=0, label="class 1")
    keyboard = element.page.keyboard
    every = element.locator("form :is(button, input, select, summary, a, [tabindex])").all()
    controls = [control for control in every if control.is_visible()]
    controls[0].focus()
    for control in controls:
        expect(control).to_be_focused()
        said = element.locator("form").inner_text()
        if control.evaluate("e => e.matches('[type=number], [type=range], select')"):
            before = control.input_value()
            keyboard.press("ArrowUp")
            assert control.input_value() != before
            assert element.locator("form").inner_text() != said
        keyboard.press("Tab")
    assert not element.evaluate("e => e.contains(document.activeElement)")


@pytest.mark.parametrize("kind", KINDS)
def test_slider_and_number_move_together(explorable, kind):
    element = explorable(kind)
    for slider in element.get_by_role("slider").all():
        slider.press("ArrowRight")
        twin = element.locator(f"[name={slider.get_attribute('data-twin')}]")
        assert twin.input_value() == slider.input_value()


@pytest.mark.parametrize("kind", KINDS)
def test_an_incomplete_number_changes_nothing(explorable, kind):
    element = explorable(kind)
    before = cells(element)
    enter(element, **{"gap" if kind == "epsilon" else "x0": "-"})
    assert cells(element) == before


# From a loss back to its call

NAN = "the logarithm of a naive softmax"
EPSILON = "-log(softmax(logits) + ε), or p clamped at ε"
TWICE = "CrossEntropyLoss, or Gluon\N{RIGHT SINGLE QUOTATION MARK}s default, of probabilities"
SAME = "F.cross_entropy(logits, labels)"
NLL = "NLLLoss, or from_logits=True, of "


def causes(loss, seen):
    """Type a loss and return {call: what is said about it}, with the minus of a keyboard."""
    loss.locator("[name=seen]").fill(seen)
    items = loss.locator("ul").first.locator("li:has(b)").all()
    texts = [item.text_content().replace("\N{MINUS SIGN}", "-") for item in items]
    return dict(text.split(": ", 1) for text in texts)


def seen_in_torch():
    """Losses as PyTorch returns them, with the call that the figure is to name."""
    torch = pytest.importorskip("torch")
    functional, inf = torch.nn.functional, float("inf")
    one = torch.tensor([1])
    masked = torch.tensor([[10.0, -inf]])
    naive = torch.exp(torch.tensor([[200.0, 0.0]]))
    p = torch.softmax(torch.tensor([200.0, 0.0]), dim=0)
    smallest = {dtype: -torch.log(torch.tensor(2.0**k, dtype=dtype)) for k, dtype in [
        (-149, torch.float32), (-24, torch.float16)]}  # fmt: skip
    certain, even = torch.eye(10)[:1], torch.zeros(1, 10)
    return [
        (-torch.log(naive / naive.sum())[0, 0], NAN),
        (functional.cross_entropy(torch.full((1, 2), -inf), one), "any loss of a row of -inf"),
        (-(torch.tensor([1.0, 0.0]) * torch.log(p)).sum(), "-(y * log(p)).sum()"),
        (functional.cross_entropy(masked, torch.tensor([-100])), "the mean of no samples"),
        (-torch.log(p[1]), "-log(softmax(logits))"),
        (functional.cross_entropy(masked, one), "any loss of a label whose logit is -inf"),
        (functional.cross_entropy(torch.tensor([[0.0, 17.0]]), one), SAME),
        (functional.nll_loss(torch.tensor([[1.0, 17.0]]), one), NLL + "logits"),
        (functional.nll_loss(torch.tensor([[0.75, 0.25]]), one), NLL + "probabilities"),
        (torch.nn.BCELoss()(torch.tensor([0.0]), torch.tensor([1.0])), "BCELoss"),
        (-torch.log(p[1] + 1e-7), EPSILON),
        (-torch.log(p.clamp(1e-12)[1]), EPSILON),
        (-torch.distributions.Categorical(p).log_prob(torch.tensor(1)), "Categorical(probs)"),
        (smallest[torch.float32], "-log(softmax(logits)) in fp32"),
        (smallest[torch.float16], "-log(softmax(logits)) in fp16"),
        (functional.cross_entropy(certain, torch.tensor([0])), TWICE),
        (functional.cross_entropy(certain, one), TWICE),
        (functional.cross_entropy(even, one), "any loss of equal logits"),
    ]  # fmt: skip


def test_a_loss_that_pytorch_prints_leads_back_to_the_call_that_made_it(loss):
    for value, call in seen_in_torch():
        for text in [f"{value.item():.4f}", str(value.item())]:
            assert call in causes(loss, text), (text, call)


def test_a_loss_that_scikit_learn_prints_leads_back_to_it(loss):
    log_loss = pytest.importorskip("sklearn.metrics").log_loss
    value = log_loss([1], [[1.0, 0.0]], labels=[0, 1])
    assert "sklearn.metrics.log_loss" in causes(loss, f"{value:.4f}")


@pytest.mark.skipif(not is_installed("mxnet"), reason="MXNet is not installed")
def test_a_loss_that_mxnet_prints_leads_back_to_its_operator(loss):
    mx = import_mxnet()
    value = mx.nd.softmax_cross_entropy(mx.nd.array([[100.0, 0.0]]), mx.nd.array([1])).asscalar()
    assert "mx.nd.softmax_cross_entropy" in causes(loss, f"{value:.4f}")


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ("16.118", "ε is 1e-7"),
        ("27.63", "ε is 1e-12"),
        ("2.3026", "each of 10 classes gets 1/10"),
        ("6.9078", "each of 1000 classes gets 1/1000"),
        ("0.5514", "with 3 classes no sample gets below this"),
        ("1.4612", "with 10 classes no sample gets below this"),
        ("2.4612", "with 10 classes no sample gets above this"),
        ("\N{MINUS SIGN}2", "it returns -x of the label"),
        ("-1e-6", "comes out above 0"),
        ("NaN", "0 · log 0 is nan"),
        ("Infinity", "underflows to 0"),
    ],
)
def test_the_reason_names_the_number_that_gives_the_call_away(loss, seen, words):
    assert any(words in text for text in causes(loss, seen).values())


@pytest.mark.parametrize("seen", ["7.3", "16.2", "99.99", "18.43", "1.4", "12", "6.9", "2.4"])
def test_a_loss_that_could_come_from_anywhere_accuses_no_call(loss, seen):
    assert not causes(loss, seen)
    assert "No call gives itself away" in loss.locator("ul").first.text_content()


@pytest.mark.parametrize("seen", ["", "-", "loss", "1.2.3", "<b>1</b>"])
def test_what_is_not_a_number_is_called_that(loss, seen):
    loss.locator("[name=seen]").fill(seen)
    assert "not a number that a program prints" in loss.locator("ul").first.text_content()


def test_the_forms_that_return_the_loss_are_marked(loss):
    loss.get_by_role("button", name="usual", exact=True).click()
    marked = "e => [...e.querySelectorAll('tr:has(mark) th')].map((th) => th.innerText)"
    forms = {"0.802": "of probabilities", "-0.659": "True, of prob", "-2": "True, of logits"}
    for seen, form in forms.items():
        causes(loss, seen)
        (head,) = loss.evaluate(marked)
        assert form in head
    causes(loss, "0.417")
    assert len(loss.evaluate(marked)) == 6


def test_every_cause_leads_to_a_section_of_the_book(loss, site):
    seen = ["nan", "inf", "0", "-1e-6", "100", "18.4207", "15.9424", "36.0437", "16.6406"]
    seen += ["103.279", "16.118", "2.3026", "0.5514", "2.4612"]
    links = set()
    for text in seen:
        causes(loss, text)
        links |= {a.get_attribute("href") for a in loss.locator("ul").first.locator("a").all()}
    assert len(links) >= 10
    for link in links:
        page, section = link.split("#")
        assert f'id="{section}"' in (site / "book" / page).read_text("utf-8"), link
