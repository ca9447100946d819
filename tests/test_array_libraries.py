"""Which function runs on which array library: computed here, and printed in the book.

Each function of logits is called in every way below. The result must be NumPy's, or the call must
be refused in a sentence of `REFUSALS`. The table in `book/api.md` is compared with what happened;
``python -m tests.test_array_libraries`` prints the one that belongs there.
"""

import functools
import inspect
import re
import warnings

import numpy as np
import pytest

import stable_softmax
from stable_softmax import FP64, special_values
from stable_softmax.libraries.adapters import is_installed
from tests.pages import ROOT

FAMILY = (
    r"(softmax|log_softmax|logsumexp|cross_entropy|mean_cross_entropy|log_or_zero"
    r"|hessian_vector_product)(_\w+)?"
)
FUNCTIONS = {
    name: f
    for module in (stable_softmax, special_values)
    for name, f in vars(module).items()
    if re.fullmatch(FAMILY, name) and inspect.isfunction(f) and "_bound_" not in name
}
X = np.random.default_rng(0).normal(size=(3, 4))
LABELS = np.array([0, 2, 3])
MASK = np.array([[True, False, True, True], [True] * 4, [False, True, False, False]])
TARGETS = np.exp(X) / 10


def arguments(name):
    """Return a batch of logits, and what a function takes beside them."""
    if name == "cross_entropy_soft" or name.startswith("hessian_vector_product"):
        return X, TARGETS
    if "entropy" in name:
        return X, LABELS
    masked = name in ("softmax_filled", "softmax_added", "softmax_masked", "softmax_masked_late")
    return (X, MASK) if masked else (X,)


def whole(name):
    """Return the arguments of one call and NumPy's result."""
    arrays = arguments(name) if name != "log_softmax_jacobian" else (X[0],)
    return arrays, FUNCTIONS[name](*arrays)


def by_rows(name):
    """Return the same for a function mapped over the samples."""
    arrays = arguments(name)
    return arrays, np.stack([FUNCTIONS[name](*row) for row in zip(*arrays, strict=True)])


def with_derivative(name):
    """Return a row, and the derivative of the sum of cosines of the results along every logit."""
    x, *others = (array[0] for array in arguments(name))

    def loss(x):
        return np.sum(np.cos(FUNCTIONS[name](x, *others)))

    h, one = 1e-5, np.eye(len(x))
    return (x, *others), [(loss(x + h * e) - loss(x - h * e)) / (2 * h) for e in one]


def scalar(f, xp):
    return lambda x, *others: xp.sum(xp.cos(f(x, *others)))


def in_numpy(name):
    arrays, want = whole(name)
    return FUNCTIONS[name](*arrays), want


def in_torch(name, device="cpu"):
    import torch

    arrays, want = whole(name)
    got = FUNCTIONS[name](*(torch.tensor(a, device=device) for a in arrays))
    if device == "meta":
        assert (tuple(got.shape), got.dtype) == (np.shape(want), torch.float64)
        return want, want
    return np.asarray(got), want


def in_torch_vmap(name):
    import torch

    arrays, want = by_rows(name)
    return torch.func.vmap(FUNCTIONS[name])(*map(torch.tensor, arrays)).numpy(), want


def in_torch_grad(name):
    import torch

    arrays, want = with_derivative(name)
    f = scalar(FUNCTIONS[name], torch)
    return torch.func.grad(f)(*map(torch.tensor, arrays)).numpy(), want


def in_torch_compiled(name):
    import torch

    arrays, want = whole(name)
    compiled = torch.compile(FUNCTIONS[name], fullgraph=True, backend="aot_eager")
    with warnings.catch_warnings():
        # PyTorch mentions the caches of array-api-compat
        warnings.filterwarnings("ignore", message="Dynamo detected a call to a `functools")
        return compiled(*map(torch.tensor, arrays)).numpy(), want


def in_jax(name, of=whole, around=lambda jax, f: f):
    import jax

    arrays, want = of(name)
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        return around(jax, FUNCTIONS[name])(*map(jax.numpy.asarray, arrays)), want
    finally:
        jax.config.update("jax_enable_x64", before)


def in_dask(name):
    import dask.array

    arrays, want = whole(name)
    blocks = [dask.array.from_array(a, chunks=2) for a in arrays]
    return np.asarray(FUNCTIONS[name](*blocks)), want


def in_strict(name):
    import array_api_strict

    arrays, want = whole(name)
    return np.asarray(FUNCTIONS[name](*map(array_api_strict.asarray, arrays))), want


def jitted(inner):
    return lambda jax, f: jax.jit(inner(jax, f))


WAYS = {
    "NumPy": ("numpy", in_numpy),
    "PyTorch": ("torch", in_torch),
    "compile": ("torch", in_torch_compiled),
    "vmap": ("torch", in_torch_vmap),
    "grad": ("torch", in_torch_grad),
    "meta": ("torch", functools.partial(in_torch, device="meta")),
    "JAX": ("jax", in_jax),
    "jit": ("jax", functools.partial(in_jax, around=jitted(lambda jax, f: f))),
    "vmap ": (
        "jax",
        functools.partial(in_jax, of=by_rows, around=jitted(lambda jax, f: jax.vmap(f))),
    ),
    "grad ": (
        "jax",
        functools.partial(
            in_jax,
            of=with_derivative,
            around=jitted(lambda jax, f: jax.grad(scalar(f, jax.numpy))),
        ),
    ),
    "dask": ("dask", in_dask),
    "strict": ("array_api_strict", in_strict),
}


TITLES = {
    "NumPy": "NumPy",
    "PyTorch": "PyTorch",
    "compile": "`torch.compile`",
    "vmap": "`torch.func.vmap`",
    "grad": "`torch.func.grad`",
    "meta": "PyTorch's meta device",
    "JAX": "JAX",
    "jit": "`jax.jit`",
    "vmap ": "`jax.vmap`",
    "grad ": "`jax.grad`",
    "dask": "dask",
    "strict": "array-api-strict",
}
GROUPS = {"…_double_double": r"\w+_double_double", "…_exact": r"\w+_exact", "all others": r"\w+"}
#: Which errors are a clear refusal, and what the table says then.
REFUSALS = {
    "for NumPy only": "NumPy only",
    "has no values to be read here": "no values to read",
}


def group_of(name):
    return next(group for group, pattern in GROUPS.items() if re.fullmatch(pattern, name))


def outcome(way, name):
    """Return what the table must say of one call."""
    try:
        got, want = WAYS[way][1](name)
    except Exception as error:
        said = [text for sentence, text in REFUSALS.items() if sentence in str(error)]
        return said[0] if said else f"unclear: {type(error).__name__}: {error}"
    # a central difference has half of the digits
    close = 1e-7 if "grad" in way else 4 * FP64.unit_roundoff
    np.testing.assert_allclose(got, want, rtol=close, atol=close)
    return "✓"


def column(way):
    """Return the functions of each group and outcome."""
    found = {}
    for name in FUNCTIONS:
        found.setdefault((group_of(name), outcome(way, name)), []).append(name)
    return found


def table():
    """Return the table that belongs into the book, from what happens now."""
    lines = ["| | " + " | ".join(f"`{g}`" if "_" in g else g for g in GROUPS) + " |"]
    lines.append("|:---" * (len(GROUPS) + 1) + "|")
    for way, title in TITLES.items():
        found = column(way)
        cells = [" / ".join(said for group, said in found if group == g) for g in GROUPS]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def printed():
    """Return the cells of the table in the book, by way and group."""
    page = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
    rows = page.split("<!-- array libraries -->")[1].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {row[0]: dict(zip(GROUPS, row[1:], strict=True)) for row in cells}


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # log_or_zero_naive
@pytest.mark.parametrize("way", WAYS)
def test_the_table_of_the_book_says_what_happens(way):
    if not is_installed(WAYS[way][0]):
        pytest.skip(f"{WAYS[way][0]} is not installed")
    found = column(way)
    said = {group: text for group, text in found}
    assert len(said) == len(found), f"a group with more than one outcome: {found}"
    assert printed()[TITLES[way]] == said, "python -m tests.test_array_libraries prints the table"


LOSSES = [
    (name, dtype)
    for name in FUNCTIONS
    for dtype in ("float32", "float64")
    if "entropy" in name and "_soft" not in name and group_of(name) == "all others"
    if "wider" not in name or dtype == "float64"  # float64 is off in JAX by default
]


@pytest.mark.parametrize(("name", "dtype"), LOSSES)
def test_a_label_out_of_range_that_nobody_can_read_makes_its_sample_nan(name, dtype):
    jax = pytest.importorskip("jax", reason="jax is not installed here")
    # XLA lost a constant nan beside exp, at some calls and not at others
    f = jax.jit(jax.vmap(FUNCTIONS[name]))
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", dtype == "float64")
    try:
        x = jax.numpy.asarray(X.astype(dtype))
        for wrong in (4, -1, 4):
            got = np.asarray(f(x, jax.numpy.asarray([0, wrong, 3]))).reshape(3, -1)
            np.testing.assert_array_equal(np.isnan(got).all(axis=1), [False, True, False])
            assert np.isfinite(got[[0, 2]]).all()
    finally:
        jax.config.update("jax_enable_x64", before)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(table())
