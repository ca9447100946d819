"""SciPy, PyTorch and MXNet behind one table of functions: NumPy array in, NumPy array out.

A library that is not installed is absent from the table, never an error. Each adapter calls the
library's own function and nothing else, so that a chapter can compare them with ours.
"""

import functools
import importlib.util
import platform
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from .autograd import to_numpy, to_tensor


@dataclass(frozen=True)
class Framework:
    """One library and its versions of the functions of this book.

    Parameters
    ----------
    name : str
        ``"SciPy"``, ``"PyTorch"`` or ``"MXNet"``.
    version : str
    functions : mapping of str to callable
        ``softmax``, ``log_softmax``, ``logsumexp`` (x), ``cross_entropy`` and
        ``cross_entropy_gradient`` (x, labels), classes along the last axis; a function that the
        library lacks is missing. Each takes and returns NumPy arrays and keeps their dtype.
    formats : tuple of str
        The formats that the library computes in.
    """

    name: str
    version: str
    functions: Mapping[str, Callable]
    formats: tuple = ("fp64", "fp32", "fp16")


def call_all(functions, x, labels):
    """Call each function of a dictionary with the arguments that it takes.

    Parameters
    ----------
    functions : mapping of str to callable
        Named as those of a `Framework`: the ones whose name contains "entropy" take labels.
    x, labels : array
        Logits and class indices.

    Returns
    -------
    dict of str to array

    Raises
    ------
    TypeError
        If `functions` is not a mapping.
    """
    if not isinstance(functions, Mapping):
        kind = type(functions).__name__
        raise TypeError(f"functions must be a dictionary from names to functions, not a {kind}")
    return {
        name: function(x, labels) if "entropy" in name else function(x)
        for name, function in functions.items()
    }


@functools.cache
def available_frameworks():
    """Return the installed libraries as a dictionary from name to `Framework`.

    The first call imports them, which takes seconds.
    """
    adapters = {"SciPy": _scipy, "PyTorch": _torch, "MXNet": mxnet_alone}
    modules = {"SciPy": "scipy", "PyTorch": "torch", "MXNet": "mxnet"}
    return {name: make() for name, make in adapters.items() if is_installed(modules[name])}


def is_installed(module):
    """Tell whether a module can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def import_mxnet():
    """Import MXNet 1.9.1, which needs a name that NumPy 1.24 removed.

    MXNet executes ``onp.bool`` while it is imported (issue apache/mxnet#21165; the fix was never
    released). The alias is restored for the import and taken away again. This is the only place.

    Returns
    -------
    module
        ``mxnet``.

    Raises
    ------
    ImportError
        With the reason, where MXNet is not installed.
    """
    if not is_installed("mxnet"):
        raise ImportError(why_no_mxnet())
    restored = "bool" not in vars(np)
    if restored:
        np.bool = np.bool_
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is older than the libraries it imports
            import mxnet
    finally:
        if restored:
            del np.bool
    return mxnet


def why_no_mxnet():
    """Return one sentence that says why MXNet is not installed here."""
    return (
        "MXNet is not installed here: its last release, 1.9.1, has packages for Linux (x86_64, "
        "aarch64) and Intel macOS and needs NumPy 1.x, hence Python 3.11 or 3.12; this is "
        f"{platform.system()} {platform.machine()} with Python {sys.version_info[0]}."
        f"{sys.version_info[1]}."
    )


def describe_machine():
    """Return the CPU capability and the versions on which the figures of a page were measured.

    Returns
    -------
    dict of str to str
        Python, NumPy, and each installed library; ``"CPU"`` is the machine type with the widest
        vector instructions that NumPy uses.
    """
    return {"CPU": _cpu(), "Python": platform.python_version(), "NumPy": np.__version__} | {
        name: framework.version for name, framework in available_frameworks().items()
    }


def _cpu():
    core = np._core if hasattr(np, "_core") else np.core
    features = core._multiarray_umath.__cpu_features__
    widest = [
        f for f in ("AVX512_SKX", "AVX512F", "AVX2", "SSE41", "SVE", "NEON") if features.get(f)
    ]
    return " ".join([platform.machine(), *widest[:1]])


def _scipy():
    import scipy
    from scipy import special

    functions = {
        "softmax": lambda x: special.softmax(x, axis=-1),
        "log_softmax": lambda x: special.log_softmax(x, axis=-1),
        "logsumexp": lambda x: special.logsumexp(x, axis=-1),
    }
    return Framework("SciPy", scipy.__version__, functions)


def _torch():
    import torch
    from torch.nn import functional

    def gradient(x, labels):
        x = to_tensor(x).requires_grad_()
        functional.cross_entropy(x, to_tensor(labels), reduction="sum").backward()
        return to_numpy(x.grad)

    functions = {
        "softmax": lambda x: to_numpy(functional.softmax(to_tensor(x), dim=-1)),
        "log_softmax": lambda x: to_numpy(functional.log_softmax(to_tensor(x), dim=-1)),
        "logsumexp": lambda x: to_numpy(torch.logsumexp(to_tensor(x), dim=-1)),
        "cross_entropy": lambda x, labels: to_numpy(
            functional.cross_entropy(to_tensor(x), to_tensor(labels), reduction="none")
        ),
        "cross_entropy_gradient": gradient,
    }
    return Framework("PyTorch", torch.__version__, functions, ("fp64", "fp32", "fp16", "bf16"))


def mxnet_alone():
    """Return the `Framework` of MXNet without importing the others; errors: see `import_mxnet`."""
    mx = import_mxnet()

    def array(x):
        x = np.asarray(x)
        return mx.nd.array(x, dtype=x.dtype)  # without dtype, float64 silently becomes float32

    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()

    def gradient(x, labels):
        x = array(x)
        x.attach_grad()
        with mx.autograd.record():
            losses = loss(x, array(labels))
        losses.backward()  # of their sum
        return x.grad.asnumpy()

    functions = {
        "softmax": lambda x: mx.nd.softmax(array(x), axis=-1).asnumpy(),
        "log_softmax": lambda x: mx.nd.log_softmax(array(x), axis=-1).asnumpy(),
        "cross_entropy": lambda x, labels: loss(array(x), array(labels)).asnumpy(),
        "cross_entropy_gradient": gradient,
    }
    return Framework("MXNet", mx.__version__, functions)


def gluon_loss(x, labels, sample_weight=None, **options):
    """Compute Gluon's ``SoftmaxCrossEntropyLoss`` of NumPy arrays.

    Parameters
    ----------
    x : numpy.ndarray
        Logits.
    labels : numpy.ndarray
    sample_weight : numpy.ndarray, optional
    **options
        Those of the class: ``from_logits``, ``sparse_label``, ``weight``, ``axis``, ``batch_axis``.

    Returns
    -------
    numpy.ndarray
        One loss per sample.

    Raises
    ------
    ImportError
        Where MXNet is not installed.
    """
    mx = import_mxnet()
    weights = [] if sample_weight is None else [sample_weight]
    arrays = [x, labels, *weights]
    loss = mx.gluon.loss.SoftmaxCrossEntropyLoss(**options)
    return loss(*map(mx.nd.array, arrays)).asnumpy()
