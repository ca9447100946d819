"""Print what our functions cost beside SciPy's and PyTorch's: ratios of times, and memory.

``python -m book_tools.speed`` measures for about a minute. Every ratio comes from calls that
take turns, so that a busy machine slows both; it is never a test, which would fail on such a day.
"""

import importlib
import itertools
import statistics
import time
import tracemalloc
from functools import partial

import numpy as np

import stable_softmax as ss

SIZES = (10,), (4096, 10), (512, 50257)
RUNGS = "shifted", "log1p", "twosum", "wider"


def peers(x, labels):
    """Return the calls that are compared, by name: ours, and SciPy's or PyTorch's beside them.

    Parameters
    ----------
    x : numpy.ndarray
        Logits, classes along the last axis.
    labels : numpy.ndarray of int64

    Returns
    -------
    dict of str to (callable, callable)
        Of a library that is installed.
    """
    calls, plain = {}, ("softmax", "log_softmax", "logsumexp")
    scipy, torch = _optional("scipy.special"), _optional("torch")
    for rung in RUNGS:
        for name in (*plain, "cross_entropy", "cross_entropy_gradient"):
            arguments = (x, labels) if "entropy" in name else (x,)
            ours = getattr(ss, f"{name}_{rung}", None)
            if ours:
                shifted = partial(getattr(ss, f"{name}_shifted"), *arguments)
                calls[f"{name}_{rung} / shifted"] = partial(ours, *arguments), shifted
            if ours and scipy and name in plain:
                theirs = partial(getattr(scipy, name), x, axis=-1)
                calls[f"{name}_{rung} / SciPy"] = partial(ours, x), theirs
    if torch:
        t, y, F = torch.asarray(x), torch.asarray(labels), torch.nn.functional
        calls["softmax / PyTorch"] = partial(ss.softmax_shifted, t), partial(F.softmax, t, -1)
        theirs = partial(F.cross_entropy, t, y, reduction="none")
        calls["loss / PyTorch"] = partial(ss.cross_entropy_shifted, t, y), theirs
    return calls


def measure(ours, theirs, seconds=0.5):
    """Return the median times of two functions that take turns, in seconds, at least 3 each."""
    times, start = ([], []), time.perf_counter()
    for turn in itertools.count():
        for f, spent in zip((ours, theirs), times, strict=True):
            before = time.perf_counter()
            f()
            spent.append(time.perf_counter() - before)
        if turn >= 2 and time.perf_counter() - start > seconds:
            return tuple(statistics.median(spent) for spent in times)


def memory(f):
    """Return the peak of what NumPy allocates in a call, in bytes; PyTorch's is not seen."""
    tracemalloc.start()
    f()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _optional(module):
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    for shape, dtype in itertools.product(SIZES, ("float32", "float64")):
        x = rng.normal(size=shape).astype(dtype)
        for name, (ours, theirs) in peers(
            x, np.asarray(rng.integers(0, x.shape[-1], shape[:-1]))
        ).items():
            a, b = measure(ours, theirs)
            print(f"{shape!s:13} {dtype} {name:38} {a / b:6.2f}  {a * 1e6:10.1f} µs", end="")
            print(f"  memory {memory(ours) / x.nbytes:5.1f} x input")
