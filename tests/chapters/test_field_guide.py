"""The field guide is a page of names: each of them must exist, and no row may be missing."""

import importlib
import importlib.util
import inspect
import re

import numpy as np
import pytest

from stable_softmax import cross_entropy_shifted
from stable_softmax.libraries.adapters import (
    gluon_loss,
    import_mxnet,
    is_installed,
    why_no_mxnet,
)
from stable_softmax.libraries.autograd import kept_for_backward
from stable_softmax.measure.memory import peak_memory
from tests.pages import ROOT

BOOK = ROOT / "book"
PAGE = (BOOK / "field_guide.md").read_text(encoding="utf-8")

#: What a code span may be; the first pattern that fits counts. A span of no kind, and a plain name
#: that no module has, is something that nobody would check: reword it.
KINDS = {
    "module of ours": r"stable_softmax(\.\w+)*",
    "library": r"(scipy|np|torch|mx)(\.\w+)+",
    "environment": r"[A-Z_]+=\S+",
    "option": r"[a-z]\w*=\S*",
    "rung": r"…_\w+",
    "plain": r"[a-z]\w*",
}
LABELS = ["Ours", "SciPy", "PyTorch", "MXNet", "JAX", "TensorFlow", "Avoid"]
DOCUMENTATION = (
    "https://docs.jax.dev/en/latest/",
    "https://optax.readthedocs.io/en/latest/",
    "https://www.tensorflow.org/api_docs/python/tf/",
    "https://www.tensorflow.org/probability/api_docs/python/tfp/",
)
FUNCTIONS = {"softmax", "log_softmax", "logsumexp", "cross_entropy", "cross_entropy_gradient"}
NOT_MADE = {"…_log1p": {"softmax", "cross_entropy_gradient"}}  # softmax has no logarithm

TABLES = {
    question: re.findall(r"^\| (.+?) \| (.+) \|$", body, flags=re.M)
    for question, body in re.findall(
        r"^\| I (?:need|have) \| (.+) \|\n\|:-+\|:-+\|\n((?:\|.+\n)+)", PAGE, flags=re.M
    )
}
CELLS = {(question, label): cell for question in TABLES for label, cell in TABLES[question]}
ADDRESSES = re.findall(r"\[`([^`]+)`\]\((\S+)\)", PAGE)  # of what the book does not run


def spans(kind, text=PAGE):
    """Return the code spans of one kind in a piece of Markdown, without roles and links."""
    text = re.sub(r"\{[\w:]+\}`[^`]*`|\[`[^`]+`\]\(\S+\)", "", text)
    return sorted({s for s in re.findall(r"`([^`]+)`", text) if kind_of(s) == kind})


def kind_of(span):
    """Return the first kind that a code span can be, or None."""
    fitting = [kind for kind, pattern in KINDS.items() if re.fullmatch(pattern, span)]
    return fitting[0] if fitting else None


def find(name):
    """Return what a dotted name stands for; skip the test where its library is not installed."""
    root, *parts = name.split(".")
    if root == "mx":
        if not is_installed("mxnet"):
            pytest.skip(why_no_mxnet())
        found = import_mxnet()
    else:
        module = {"np": "numpy"}.get(root, root)
        found = pytest.importorskip(module, reason=f"{module} is not installed here")
    for part in parts:
        submodule = f"{getattr(found, '__name__', '')}.{part}"
        if not hasattr(found, part) and importlib.util.find_spec(submodule):
            importlib.import_module(submodule)
        found = getattr(found, part)
    return found


def function_of(name, cell=""):
    """Return the function that a plain name means: ours, or one of a module in the same cell."""
    modules = [find(module) for module in spans("module of ours")]
    modules += [m for m in map(find, spans("library", cell)) if inspect.ismodule(m)]
    found = [getattr(module, name) for module in modules if hasattr(module, name)]
    return found[0] if found else None


def takes(function, option):
    """Tell whether a function has an argument; one written in C says so in its docstring only."""
    try:
        return option in inspect.signature(function).parameters
    except ValueError:
        return bool(re.search(rf"\b{option}\b", function.__doc__))


def test_every_code_span_is_of_a_kind_that_is_checked():
    assert spans(None) == []


def test_plain_names_stand_in_the_tables_only():
    assert set(spans("plain")) == {name for cell in CELLS.values() for name in spans("plain", cell)}


@pytest.mark.parametrize(("question", "label"), CELLS)
def test_a_function_without_a_module_is_ours_or_of_a_module_beside_it(question, label):
    cell = CELLS[question, label]
    missing = [name for name in spans("plain", cell) if not callable(function_of(name, cell))]
    assert missing == []


@pytest.mark.parametrize("rung", spans("rung"))
def test_a_rung_has_all_functions(rung):
    made = {name for name in FUNCTIONS if function_of(name + rung.removeprefix("…"))}
    assert made == FUNCTIONS - NOT_MADE.get(rung, set())


@pytest.mark.parametrize("name", spans("library"))
def test_a_name_of_a_library_exists(name):
    assert callable(find(name)) or inspect.ismodule(find(name))


@pytest.mark.parametrize(("question", "label"), CELLS)
def test_an_option_belongs_to_a_function_of_its_row(question, label):
    cell = CELLS[question, label]
    if label in {"JAX", "TensorFlow"}:
        assert "](https://" in cell or "above" in cell, "only its documentation can tell"
        return
    functions = [find(name) for name in spans("library", cell)]
    functions += [function_of(name, cell) for name in spans("plain", cell)]
    for option in spans("option", cell):
        assert any(takes(f, option.split("=")[0]) for f in functions if callable(f)), option


@pytest.mark.parametrize(("name", "address"), ADDRESSES)
def test_a_function_that_did_not_run_is_linked_to_its_own_page(name, address):
    assert address.startswith(DOCUMENTATION)
    assert address.removesuffix(".html").replace("/", ".").endswith(name.removeprefix("…"))


@pytest.mark.parametrize("variable", spans("environment"))
def test_an_environment_variable_is_set_in_a_test_of_what_it_does(variable):
    name, value = variable.split("=")
    tests = (ROOT / "tests/chapters/test_mxnet.py").read_text(encoding="utf-8")
    assert re.search(rf'{name}(": |=)"{value}"', tests)


@pytest.mark.parametrize("question", TABLES)
def test_a_question_is_answered_for_every_library_and_leads_to_a_chapter(question):
    assert [label for label, _ in TABLES[question]] == LABELS
    assert "{ref}`ch-" in CELLS[question, "Avoid"]


def test_every_table_is_read_by_these_tests():
    assert len(TABLES) == PAGE.count("\n| I ") >= 8


def test_a_name_fits_on_a_phone():
    names = {name for kind in KINDS for name in spans(kind)} | {name for name, _ in ADDRESSES}
    longest = max(names, key=len)
    assert len(longest) <= 37, f"the table of {longest} would hide its right end"


@pytest.mark.parametrize("question", TABLES)
def test_a_question_is_answered_in_a_few_lines(question):
    table = " ".join(cell for _, cell in TABLES[question])
    assert len(re.findall(r"\w+", re.sub(r"\]\(\S+\)", "", table))) <= 120


def test_the_memory_of_a_rung_is_what_it_holds():
    table = re.findall(r"^\| .+ \| .*?`(\S+?)`.* \| (\d) \|$", PAGE, flags=re.M)
    assert len(table) == 6
    x = np.random.default_rng(0).normal(size=(2000, 1000)).astype(np.float32)
    for name, memory in table:
        f = function_of(f"log_softmax{name[1:]}") or find(name).log_softmax_blocked
        assert round(peak_memory(f, x) / x.nbytes) == int(memory), name


def test_what_autograd_keeps_of_a_rung():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    y = torch.zeros(500, dtype=torch.int64)
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(500, 1000, dtype=torch.float32).to(dtype)
        for rung, least, most in [("shifted", 2, 2), ("log1p", 3, 4), ("twosum", 6, 7.1)]:
            kept = kept_for_backward(function_of(f"cross_entropy_{rung}"), x, y) / x.nbytes
            assert least <= kept <= most + 0.05, rung
        kept = kept_for_backward(function_of("cross_entropy_wider"), x, y) / x.numel()
        assert 8 <= kept <= 8.1


def test_mxnet_has_no_log_sum_exp():
    for namespace in ("mx.nd", "mx.np", "mx.npx"):
        assert not hasattr(find(namespace), "logsumexp")


def test_scipy_needs_to_be_told_the_axis():
    for name in ("softmax", "log_softmax", "logsumexp"):
        function = find(f"scipy.special.{name}")
        assert inspect.signature(function).parameters["axis"].default is None


def test_gluon_takes_logits_unless_told_otherwise():
    loss = find("mx.gluon.loss.SoftmaxCrossEntropyLoss")
    assert inspect.signature(loss).parameters["from_logits"].default is False


def test_gluon_clips_labels_out_of_range_and_cuts_fractions_off_without_an_error():
    if not is_installed("mxnet"):
        pytest.skip(why_no_mxnet())
    x = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]])
    np.testing.assert_array_equal(gluon_loss(x, np.array([-1, 7])), gluon_loss(x, np.array([0, 2])))
    np.testing.assert_array_equal(
        gluon_loss(x, np.array([0.9, 1.9])), gluon_loss(x, np.array([0, 1]))
    )


def test_the_mean_of_weighted_losses_divides_by_another_number_in_each_library():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x, y = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 3.0]]), np.array([0, 2])
    weights = np.array([1.0, 1.0, 3.0])
    losses = cross_entropy_shifted(x, y) * weights[y]
    tensors = [torch.tensor(a) for a in (x, y, weights)]
    theirs = torch.nn.functional.cross_entropy(*tensors[:2], weight=tensors[2])
    assert float(theirs) == pytest.approx(np.sum(losses) / np.sum(weights[y]), rel=1e-14)
    if is_installed("mxnet"):
        gluon = gluon_loss(x, y, sample_weight=weights[y][:, None])
        assert np.mean(gluon) == pytest.approx(
            np.mean(losses), rel=1e-4
        )  # oneDNN errs in the sixth digit
