"""The network that can be killed computes what PyTorch computes, and dies where PyTorch's dies.

Its page is a small one of its own, so that these tests need no chapter around it.
"""

import gzip

import numpy as np
import pytest
from playwright.sync_api import expect

from stable_softmax import FORMATS, cross_entropy_gradient_shifted, cross_entropy_shifted
from stable_softmax.experiments.training import LOSSES, first_nonfinite
from tests.site.own_page import BOOK, busy, own_page

BOXES = ["logits", "p", "loss", "gradient"]
DTYPES = {"fp32": np.float32, "fp16": np.float16}
N = 90
GAP = -np.log(1e-7)
# Boxes of the chain whose text is wider or higher than they are
SPILLS = """(e) => [...e.querySelectorAll("li")]
    .filter((box) => box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth)
    .map((box) => box.textContent)"""
FATES = {  # of the buttons: loss, powers of inputs and rate, format; step, box, verdict
    "Learns": ("naive", 0, -1, "fp32", 100, None, "Learns: 99 % are right. The wrong ones have a"),
    "Dies in p": ("naive", 6, -3, "fp32", 1, "p", "Dead in step 1: nan in p. The exponential"),
    "Dies in the loss": ("log(softmax)", 6, -3, "fp32", 1, "loss", "Dead in step 1: inf in the"),
    "Dies in the gradient": (
        *("log(softmax)", 0, 0.5, "fp16", 52, "gradient"),
        "Dead in step 52: nan in the gradient, and every loss is finite. In 1 of 90 samples",
    ),
    "Stalls": ("epsilon", 6, -3, "fp32", 100, None, "Stalls: 34 % are right. The gradient of 55"),
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

    return lambda scheme="light": own_page(folder, "network", scheme)


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
        """(all) => all.map((box) =>
            [...box.children].map((e) => e.textContent).concat(box.className))"""
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
            const f = StableSoftmax.formats[fmt];
            return x.map((row, i) => sample(name, row, labels[i], x.length, f))
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
        kinds = [
            np.where(np.isfinite(v), 0, np.nan_to_num(v, nan=9, posinf=1, neginf=-1))
            for v in (a, b)
        ]
        np.testing.assert_array_equal(*kinds, err_msg=box)
        ok = np.isfinite(b)
        tiny = FORMATS[fmt].smallest_normal * u  # of the order of the smallest subnormal number
        np.testing.assert_allclose(
            a[ok], b[ok], rtol=20 * u, atol=20 * u if box == "loss" else 2 * tiny, err_msg=box
        )
    first = [first_nonfinite(zip(BOXES[1:], parts, strict=True)) for parts in (ours, theirs)]
    assert first[0] == first[1]


@pytest.mark.parametrize(
    ("name", "x", "label", "loss", "gradient"),
    [  # the samples of the chapter
        ("naive", [100, 0], 0, np.nan, [np.nan, np.nan]),
        ("naive", [52, 0], 1, 52, [0, -1]),  # finite, and wrong: the truth is [1, -1]
        ("log(softmax)", [0, -110], 1, np.inf, [np.nan, np.nan]),
        ("log(softmax)", [0, -110], 0, 0, [np.nan, np.nan]),
        ("epsilon", [30, 0], 1, GAP, [9.3577e-7, -9.3576e-7]),  # a millionth is left
        ("from logits", [1000, 0], 1, 1000, [1, -1]),
    ],
)
def test_the_samples_of_the_chapter_have_the_gradients_that_it_shows(
    still, name, x, label, loss, gradient
):
    x, label = np.array([x], dtype=np.float32), np.array([label])
    _, ours, slope = in_browser(still, name, x, label, "fp32")
    assert ours[0] == pytest.approx(loss, rel=1e-6, nan_ok=True)
    assert slope[0] == pytest.approx(gradient, rel=1e-3, nan_ok=True)
    theirs = in_pytorch(name, x, label)
    assert theirs[1][0] == pytest.approx(ours[0], rel=1e-6, nan_ok=True)
    assert theirs[2][0] == pytest.approx(slope[0], rel=1e-5, nan_ok=True)


@pytest.mark.parametrize("fmt", DTYPES)
def test_from_logits_the_loss_and_the_gradient_are_those_of_the_package(still, fmt):
    rng = np.random.default_rng(0)
    x, labels = logits_of(rng, fmt, 20), rng.integers(0, 3, N)
    _, loss, gradient = in_browser(still, "from logits", x, labels, fmt)
    u = FORMATS[fmt].unit_roundoff
    np.testing.assert_allclose(loss, cross_entropy_shifted(x, labels), rtol=4 * u, atol=4 * u)
    expected = cross_entropy_gradient_shifted(x, labels).astype(np.float64) / N
    np.testing.assert_allclose(gradient, expected, rtol=8 * u, atol=4 * u / N)


# A run, against PyTorch


def train_in_pytorch(name, inputs, weights, rate, fmt, steps):
    """Train on the data of the element; return the losses, and where the first inf or nan is."""
    torch = pytest.importorskip("torch")
    loss, softmax = LOSSES[name]
    x = torch.tensor(inputs.astype(DTYPES[fmt]))
    W = torch.tensor(weights.astype(DTYPES[fmt]), requires_grad=True)
    losses, labels = [], torch.arange(N) % 3
    for _ in range(steps):
        logits = x @ W.T
        logits.retain_grad()
        each = loss(logits, labels)
        each.mean().backward()
        tensors = (logits, softmax(logits), each, logits.grad)
        losses.append(each.mean().item())
        broken = first_nonfinite(zip(BOXES, (t.detach() for t in tensors), strict=True))
        if broken:
            return losses, broken
        W.data -= float(np.float32(10.0**rate)) * W.grad
        W.grad = None
    return losses, None


@pytest.mark.parametrize("button", FATES)
def test_pytorch_has_the_same_fate_from_the_same_start(network, button):
    """The same step and the same tensor. Sums are added in another order, which fp16 magnifies."""
    name, power, rate, fmt, step, box, _ = FATES[button]
    start(network, name, power, rate, fmt)
    inputs, weights = map(as_numbers, now(network, "inputs", "weights"))
    press(network, button)
    losses, broken = train_in_pytorch(name, inputs, weights, rate, fmt, 100)
    assert (broken and broken[0]) == box
    assert len(losses) == pytest.approx(step, abs=3 if fmt == "fp16" else 0)
    ours = [as_numbers(entry["loss"]) for entry in now(network, "history")[0]]
    size = min(len(ours), len(losses))
    np.testing.assert_allclose(ours[:size], losses[:size], rtol=1e-2 if fmt == "fp16" else 1e-3)


def test_the_exact_loss_is_that_of_the_logits_in_float64(network):
    press(network, "Stalls")
    samples, history = now(network, "samples", "history")
    x = as_numbers([sample["logits"] for sample in samples])
    labels = np.arange(N) % 3
    assert history[-1]["exact"] == pytest.approx(cross_entropy_shifted(x, labels).mean(), rel=1e-7)
    assert history[-1]["loss"] < GAP < history[-1]["exact"]


def test_the_points_are_the_same_in_every_browser(network):
    """They are made of integers below 2**53 and sums of three fractions, all exact."""
    start(network, "naive", 0, -1, "fp32")
    seed, points = 1, []
    for i in range(N):
        for center in [(0, 1.2), (-1, -0.6), (1, -0.6)][i % 3]:
            noise = 0
            for _ in range(3):
                seed = (seed * 1664525 + 1013904223) % 2**32
                noise += seed / 2**32
            points.append(np.float32(center + (noise - 1.5)))
    inputs = as_numbers(now(network, "inputs")[0])
    np.testing.assert_array_equal(inputs[:, :2].ravel(), points)
    assert (inputs[:, 2] == 1).all(), "the input of the bias is not scaled"
    start(network, "naive", 3, -1, "fp16")
    scaled = (8 * np.array(points, dtype=np.float64)).astype(np.float16)
    # the points themselves are rounded once only
    np.testing.assert_allclose(
        as_numbers(now(network, "inputs")[0])[:, :2].ravel(), scaled, rtol=1e-3
    )


@pytest.mark.parametrize("fmt", DTYPES)
def test_products_are_added_in_float32_and_the_sum_is_rounded_once(network, fmt):
    start(network, "from logits", 2, -1, fmt)
    inputs, weights, samples = now(network, "inputs", "weights", "samples")
    x = as_numbers([sample["logits"] for sample in samples])
    products = np.float32(as_numbers(inputs))[:, None] * np.float32(as_numbers(weights))
    expected = (products[..., 0] + products[..., 1] + products[..., 2]).astype(DTYPES[fmt])
    np.testing.assert_array_equal(x, expected)


# What a reader sees


@pytest.mark.parametrize("button", FATES)
def test_each_button_leads_to_the_fate_it_names(network, button):
    name, power, rate, fmt, step, box, verdict = FATES[button]
    press(network, button)
    keys = ("loss", "power", "rate", "format")
    shown = [network.locator(f"[name={key}]").input_value() for key in keys]
    assert shown == [name, str(power), str(rate), fmt]
    assert verdict in says(network)
    assert readout(network).startswith(f"Step {step} of 100: loss ")
    first = [key for key, (style, _) in boxes(network).items() if style == "first"]
    assert first == ([box] if box else [])


@pytest.mark.parametrize(
    ("button", "expected"),
    [
        ("Dies in p", ["", "first", "after", "after"]),
        ("Dies in the loss", ["", "", "first", "after"]),
        ("Dies in the gradient", ["", "", "", "first"]),
        ("Stalls", ["", "", "", ""]),
    ],
)
def test_the_first_box_with_inf_or_nan_is_marked_and_says_which(network, button, expected):
    press(network, button)
    found = boxes(network)
    assert list(found) == BOXES
    assert [style for style, _ in found.values()] == expected
    for style, text in found.values():
        if style:
            assert ("first " in text) == (style == "first")
            assert ("inf, in " in text) or ("nan, in " in text)
        else:
            low, high = map(float, text.split(" to "))
            assert low <= high


def test_too_long_a_step_ends_in_the_logits_and_no_loss_mends_it(network):
    start(network, "from logits", 8, 1, "fp16")
    network.get_by_role("button", name="Step").click()
    assert says(network).startswith("Dead in step 2: the step was so long that logits left fp16.")
    assert [style for style, _ in boxes(network).values()] == ["first", "after", "after", "after"]


def test_exponentials_that_all_underflow_are_told_from_those_that_overflow(network):
    """With weights that make all logits of every sample small."""
    start(network, "naive", 0, -1, "fp32")
    network.evaluate(
        "e => { e.now.weights = e.now.weights.map(() => [0, 0, -200]); e.compute(); e.step(0); }"
    )
    assert "nan in p. All exponentials of a sample underflow to 0, and 0 / 0 is nan." in says(
        network
    )


def test_a_run_that_neither_learns_nor_stalls_is_called_that(network):
    start(network, "from logits", 0, -4, "fp32")
    network.get_by_role("button", name="Run").click()
    network.page.wait_for_function("e => e.now.over", arg=network.element_handle())
    assert says(network).startswith("Not yet: 28 % are right. The wrong ones have a gradient")


@pytest.mark.parametrize("button", FATES)
def test_the_histogram_counts_every_sample_with_a_gap_and_outlines_those_without_a_gradient(
    network, button
):
    press(network, button)
    samples = now(network, "samples")[0]
    x = as_numbers([sample["logits"] for sample in samples])
    gradient = as_numbers([sample["gradient"] for sample in samples])
    rows, labels = np.arange(N), np.arange(N) % 3
    gap = x.max(axis=1) - x[rows, labels]
    left = np.nan_to_num(np.abs(gradient[rows, labels]) * N)
    lost = (gap > 0) & (left < 0.01)
    edges = [0, 1, 2, 4, 8, GAP, 32, 64, 128, 256, np.inf]
    bins = np.searchsorted(edges, gap)
    plot = network.locator(".plots svg").nth(1)
    counts = plot.locator("text").all_text_contents()
    shown = [
        int(t)
        for t, y in zip(
            counts,
            plot.locator("text").evaluate_all("a => a.map(e => e.getAttribute('y'))"),
            strict=True,
        )
        if float(y) < 164 and t.isdigit()
    ]
    assert shown == [n for n in np.bincount(bins, minlength=11).tolist() if n]
    assert "16.1" in counts, "the line is an edge"
    assert plot.locator("path.naive").count() == len(set(bins[lost].tolist()))
    assert f"right {round(100 * np.mean(gap == 0))} %" in readout(network)
    assert readout(network).endswith(f"without a gradient {round(100 * np.mean(lost))} %")


def test_the_samples_that_epsilon_has_lost_lie_beyond_the_line(network):
    """A hundredth of the gradient is left about log 100 = 4.6 beyond the line."""
    press(network, "Stalls")
    samples = now(network, "samples")[0]
    lost = [sample["gap"] for sample in samples if sample["lost"]]
    assert len(lost) > N / 2
    assert min(lost) > GAP
    assert all(sample["lost"] for sample in samples if sample["gap"] > GAP + 5)


@pytest.mark.parametrize("button", ["Learns", "Dies in the gradient", "Dies in the loss"])
def test_the_curve_has_a_point_for_each_step_and_a_cross_where_the_run_dies(network, button):
    press(network, button)
    step, box = FATES[button][4:6]
    plot = network.locator(".plots svg").first
    curve = plot.locator("path[stroke-width='4']")
    assert curve.get_attribute("d").count("L") == step - 1
    crosses = plot.locator("path.naive[stroke-width='3']").count()
    assert crosses == (1 if box else 0)
    if box:
        assert plot.locator("text").last.text_content() == f"dead: {box}"


# Behavior


def test_step_run_pause_and_reset(moving):
    step, run = (moving.get_by_role("button", name=name) for name in ("Step", "Run"))
    assert readout(moving).startswith("Step 1 of 100")
    for t in [2, 3, 4]:
        step.click()
        assert readout(moving).startswith(f"Step {t} of 100")
    run.click()
    pause = moving.get_by_role("button", name="Pause")
    moving.page.wait_for_function("e => e.now.history.length > 10", arg=moving.element_handle())
    pause.click()
    text = readout(moving)
    moving.page.wait_for_timeout(100)
    assert readout(moving) == text, "it moves no more"
    assert says(moving).startswith("Alive: ")
    run.click()
    moving.page.wait_for_function("e => e.now.over", arg=moving.element_handle())
    expect(run).to_have_text("Run")
    assert says(moving).startswith("Learns: ")
    step.click()
    assert readout(moving).startswith("Step 100 of 100"), "the end is the end"
    run.click()
    assert int(readout(moving).split()[1]) < 100, "once more from the beginning"
    moving.get_by_role("button", name="Reset").click()
    moving.page.wait_for_timeout(50)
    assert readout(moving).startswith("Step 1 of 100")
    expect(run).to_have_text("Run")


def test_any_change_of_a_control_begins_again(moving):
    press(moving, "Stalls")
    moving.get_by_role("slider", name="Inputs").press("ArrowRight")
    assert moving.locator("[name=power]").input_value() == "7"
    assert readout(moving).startswith("Step 1 of 100")
    moving.get_by_role("button", name="Run").click()
    moving.get_by_label("Loss").select_option("naive")
    assert readout(moving).startswith("Step 1 of 100") and says(moving).startswith("Dead in step 1")
    moving.page.wait_for_timeout(50)
    expect(moving.get_by_role("button", name="Run")).to_have_text("Run")


def test_the_keyboard_alone_is_enough(network):
    keyboard = network.page.keyboard
    controls = network.locator("form :is(button, input, select)").all()
    controls[0].focus()
    for control in controls:
        expect(control).to_be_focused()
        keyboard.press("Tab")
    assert not network.evaluate("e => e.contains(document.activeElement)")

    network.get_by_role("slider", name="Inputs").focus()
    for _ in range(8):
        keyboard.press("ArrowRight")
    assert network.locator("[name=power]").input_value() == "8"
    assert says(network).startswith("Dead in step 1: nan in p.")
    network.get_by_label("Loss").focus()
    keyboard.type("e")
    assert network.get_by_label("Loss").input_value() == "epsilon"
    network.get_by_role("button", name="Run").press("Enter")
    network.page.wait_for_function("e => e.now.over", arg=network.element_handle())
    assert network.evaluate("e => document.activeElement.textContent") == "Run"
    network.get_by_role("button", name="Reset").press("Space")
    network.page.wait_for_timeout(20)
    assert network.locator("[name=power]").input_value() == "0"
    assert readout(network).startswith("Step 1 of 100")


def test_the_live_region_speaks_at_the_beginning_and_at_the_end_of_a_run_only(moving):
    assert moving.get_by_role("status").count() == 1
    moving.evaluate("""(e) => {
        window.said = [];
        const region = e.querySelector("[role=status]");
        new MutationObserver(() => said.push(region.textContent))
            .observe(region, {childList: true});
    }""")
    press(moving, "Same, from logits")
    moving.page.wait_for_timeout(20)
    said = list(dict.fromkeys(moving.evaluate("said")))
    assert [text.split()[0] for text in said] == ["Training.", "Learns:"]


def test_a_number_out_of_range_is_asked_for_and_changes_nothing(network):
    press(network, "Stalls")
    before = readout(network)
    network.locator("[name=rate]").fill("7")
    assert says(network) == (
        "“Rate = 10 to the power” must be a number from -4 to 1. The network has not changed."
    )
    assert readout(network) == before


def test_a_step_fits_into_a_frame(still, network):
    start(network, "epsilon", 6, -3, "fp16")
    sixty = "e => { for (let i = 0; i < 60; i += 1) { e.advance(); e.draw(); } }"
    assert busy(network, sixty) / 60 < 16


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_neither_jumps_nor_scrolls_sideways_nor_complains(browser, address, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request", lambda request: request.url.startswith("file:") or problems.append(request.url)
    )
    page.goto(address(scheme))
    element = page.locator("explore-network")
    reserved = element.evaluate("e => parseFloat(getComputedStyle(e).minHeight)")
    assert element.locator("form").bounding_box()["height"] <= reserved
    for button in FATES:
        press(element, button)
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
        assert element.bounding_box()["height"] == reserved, button
        assert element.evaluate(SPILLS) == [], button
    assert not problems
    context.close()


def test_without_scripts_there_is_the_text_that_stands_for_it(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address())
    expect(page.get_by_text("What it shows.")).to_be_visible()
    context.close()


def test_with_scripts_that_text_is_hidden(network):
    expect(network.locator(".fallback")).to_be_hidden()


def test_the_script_stays_under_5_kilobytes():
    script = (BOOK / "explorables" / "explore_network.js").read_bytes()
    assert len(gzip.compress(script, 9, mtime=0)) < 5_000
