"""Which function runs on which array library: computed here, and printed in the book.

Each function of logits is called in every way below. The result must be NumPy's, or the call must
be refused in a sentence of `REFUSALS`; the table in `book/api.md` is compared with what happened.
"""

import functools
import inspect
import re
import warnings

import numpy as np
import pytest

import stable_softmax
from stable_softmax import special_values
from stable_softmax.libraries.adapters import is_installed
from tests.pages import ROOT

FAMILY = r"(softmax|log_softmax|logsumexp|cross_entropy|mean_cross_entropy|log_or_zero)(_\w+)?"
FUNCTIONS = {
    name: f
    for module in (stable_softmax, special_values)
    for name, f in vars(module).items()
    if re.fullmatch(FAMILY, name) and inspect.isfunction(f) and "_bound_" not in name
}
#: How a call may be refused: a mark for the table, and the sentence of the error.
REFUSALS = {}

X = np.random.default_rng(0).normal(size=(3, 4))
LABELS = np.array([0, 2, 3])
MASK = np.array([[True, False, True, True], [True] * 4, [False, True, False, False]])
TARGETS = np.exp(X) / 10


def arguments(name):
    """Return a batch of logits, and what a function takes beside them."""
    if name == "cross_entropy_soft":
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
    return got.numpy(), want


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
    return FUNCTIONS[name](*blocks).compute(), want


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
    "vmap ": ("jax", functools.partial(in_jax, of=by_rows, around=jitted(lambda jax, f: jax.vmap(f)))),
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


if __name__ == "__main__":
    import sys, time
    warnings.simplefilter("error")
    ways = sys.argv[1].split(",") if len(sys.argv) > 1 else WAYS
    for way in ways:
        start, out = time.time(), {}
        for name in FUNCTIONS:
            try:
                got, want = WAYS[way][1](name)
                err = np.max(np.abs(np.asarray(got) - want) / (1 + np.abs(want)))
                o = "ok" if err < (1e-9 if "grad" in way else 1e-15) else f"WRONG {err}"
            except Exception as e:
                o = f"{type(e).__name__}: {str(e)[:130]}".replace("\n", " ")
            out.setdefault(o, []).append(name)
        print("==", way, round(time.time() - start, 1), "s")
        for o, names in out.items():
            print("   ", o, "|", len(names), "" if o == "ok" else " ".join(names))
