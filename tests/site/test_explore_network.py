"""The network that can be killed computes what PyTorch computes, and dies where PyTorch's dies.

Its page is a small one of its own, so that these tests need no chapter around it.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from stable_softmax import FORMATS, cross_entropy_gradient_shifted, cross_entropy_shifted
from stable_softmax.experiments.training import LOSSES, first_nonfinite

BOOK = Path(__file__).parents[2] / "book"
PAGE = """<!doctype html>
<html lang="en" data-theme="{scheme}">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A network</title>
<link rel="stylesheet" href="{book}/_static/book.css">
<link rel="stylesheet" href="{book}/explorables/explore.css">
<style>
*, ::before, ::after {{ box-sizing: border-box; }}
html[data-theme="light"] {{ --pst-color-background: #fff; --pst-color-text-base: #222832; }}
html[data-theme="dark"] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }}
body {{ background: var(--pst-color-background); color: var(--pst-color-text-base);
    font: 16px/1.65 sans-serif; margin: 1rem auto; max-width: 42rem; }}
</style>
<script defer src="{book}/explorables/explore_core.js"></script>
<script defer src="{book}/explorables/explore_network.js"></script>
</head>
<body><main><h1>A network</h1>
<explore-network><div class="fallback"><p>What stands for it.</p></div></explore-network>
<p id="below">What is below.</p></main></body>
</html>
"""
BOXES = ["logits", "p", "loss", "gradient"]
DTYPES = {"fp32": np.float32, "fp16": np.float16}
N = 90
GAP = -np.log(1e-7)
FATES = {  # of the buttons: loss, power of the inputs, power of the rate, format; step, box, verdict
    "Learns": ("naive", 0, -1, "fp32", 100, None, "Learns: 99 % are right. All have a gradient"),
    "Dies in p": ("naive", 6, -3, "fp32", 1, "p", "Dead in step 1: nan in p. The exponential"),
    "Dies in the loss": ("log(softmax)", 6, -3, "fp32", 1, "loss", "Dead in step 1: inf in the"),
    "Dies in the gradient": (
        *("log(softmax)", 0, 0.5, "fp16", 52, "gradient"),
        "Dead in step 52: nan in the gradient, and every loss is finite. In 1 sample",
    ),
    "Stalls": ("epsilon", 6, -3, "fp32", 100, None, "Stalls: 34 % are right. 55 samples lost the"),
    "Same, from logits": ("from logits", 6, -3, "fp32", 100, None, "Learns: 92 % are right."),
    "ε in fp16": (
        *("epsilon", 3, -2, "fp16", 1, "gradient"),
        "autograd divides 1/90 by 1.19e-7, which overflows to inf.",
    ),
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of the small page in a color scheme: ``address("dark")``."""
    folder = tmp_path_factory.mktemp("network")

    def write(scheme="light"):
        path = folder / f"{scheme}.html"
        path.write_text(PAGE.format(scheme=scheme, book=BOOK.as_uri()), encoding="utf-8")
        return path.as_uri()

    return write


@pytest.fixture(scope="module")
def still(browser, address):
    """A page where nothing may move: a run is at its end at once."""
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(address())
    yield page
    context.close()


@pytest.fixture
def network(still):
    """The explorable as a reader first meets it."""
    element = still.locator("explore-network")
    element.get_by_role("button", name="Reset").click()
    still.wait_for_timeout(20)
    return element


@pytest.fixture
def moving(browser, address):
    """The explorable on a page of its own that shows every step."""
    context = browser.new_context(reduced_motion="no-preference")
    page = context.new_page()
    page.goto(address())
    yield page.locator("explore-network")
    context.close()


def press(element, name):
    """Press a button; wait until a run on a page without motion is over."""
    element.get_by_role("button", name=name, exact=True).click()
    element.page.wait_for_timeout(20)
    element.page.wait_for_function("e => !e.frame", arg=element.element_handle())


def start(element, loss, power, rate, fmt):
    """Set the controls as a reader does, without a run."""
    values = {"loss": loss, "power": power, "rate": rate, "format": fmt}
    element.evaluate(
        """(e, values) => {
            for (const [name, value] of Object.entries(values)) e.control(name).value = value;
            e.update();
        }""",
        values,
    )


def now(element, *keys):
    """What the element holds, with inf and nan as texts that Python reads."""
    return element.evaluate(
        """(e, keys) => JSON.parse(JSON.stringify(keys.map((key) => e.now[key]),
            (_, v) => (typeof v === "number" && !Number.isFinite(v) ? String(v) : v)))""",
        list(keys),
    )


def as_numbers(values):
    return np.array(values, dtype=object).astype(np.float64)


def says(element):
    return element.get_by_role("status").inner_text().replace("\N{MINUS SIGN}", "-")


def boxes(element):
    """The four boxes: their names, their class and what they say."""
    rows = element.locator("li").evaluate_all(
        "(all) => all.map((box) => [...box.children].map((e) => e.textContent).concat(box.className))"
    )
    return {name: (style, text.replace("\N{MINUS SIGN}", "-")) for name, text, style in rows}


def readout(element):
    return element.locator("button + span").inner_text().replace("\N{MINUS SIGN}", "-")


# One step, against the package and against PyTorch


def logits_of(rng, fmt, size):
    """Batches of rows of three logits: quarters, so that no sum lies beside a limit of exp."""
    x = np.round(4 * rng.normal(size=(N, 3)) * size) / 4
    x[: N // 3] += np.round(8 * size) / 4 * rng.choice([-1, 1], size=(N // 3, 1))
    return x.astype(DTYPES[fmt])


def in_browser(page, name, x, labels, fmt):
    """Samples of a batch: p, loss and gradient of the mean."""
    parts = page.evaluate(
        """([name, x, labels, fmt]) => {
            const { sample } = customElements.get("explore-network");
            const text = (v) => (Array.isArray(v) ? v.map(text) : String(v));
            return x.map((row, i) => sample(name, row, labels[i], x.length, StableSoftmax.formats[fmt]))
                .map((s) => [s.p, s.loss, s.gradient].map(text));
        }""",
        [name, x.astype(np.float64).tolist(), labels.tolist(), fmt],
    )
    p, loss, gradient = zip(*parts, strict=True)
    return tuple(np.array(part, dtype=np.float64) for part in (p, loss, gradient))


def in_pytorch(name, x, labels):
    """The same by the functions of the book, PyTorch and its autograd."""
    torch = pytest.importorskip("torch")
    loss, softmax = LOSSES[name]
    x = torch.tensor(x, requires_grad=True)
    losses = loss(x, torch.tensor(labels))
    losses.mean().backward()
    return tuple(t.detach().double().numpy() for t in (softmax(x), losses, x.grad))


SIZES = {"fp32": [0.5, 5, 25, 60, 200], "fp16": [0.5, 2, 5, 10, 60]}


@pytest.mark.parametrize("size", range(5))
@pytest.mark.parametrize("fmt", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_each_box_of_a_step_holds_the_numbers_of_pytorch(still, name, fmt, size):
    """Where PyTorch has a nan there is a nan, where it has inf there is inf, and the rest agrees
    to a few units of roundoff: PyTorch's exp and log are not correctly rounded."""
    rng = np.random.default_rng(size)
    x = logits_of(rng, fmt, SIZES[fmt][size])
    labels = rng.integers(0, 3, N)
    u = FORMATS[fmt].unit_roundoff
    ours, theirs = in_browser(still, name, x, labels, fmt), in_pytorch(name, x, labels)
    for box, a, b in zip(BOXES[1:], ours, theirs, strict=True):
        kinds = [np.where(np.isfinite(v), 0, np.nan_to_num(v, nan=9, posinf=1, neginf=-1)) for v in (a, b)]
        np.testing.assert_array_equal(*kinds, err_msg=box)
        ok = np.isfinite(b)
        tiny = FORMATS[fmt].smallest_normal * u  # of the order of the smallest subnormal number
        np.testing.assert_allclose(a[ok], b[ok], rtol=20 * u, atol=20 * u if box == "loss" else 2 * tiny, err_msg=box)
    first = [first_nonfinite(zip(BOXES[1:], parts, strict=True)) for parts in (ours, theirs)]
    assert first[0] == first[1]
