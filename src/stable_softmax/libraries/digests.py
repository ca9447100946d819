"""Which results are the same to the bit on every processor, and which are not.

NumPy chooses its loops for exp, log and sums by the vector instructions of the processor, and the
loops differ in the last bits. Its choice is made at the import; a fresh process in which the
instructions are switched off stands for an older processor.
"""

import hashlib

import numpy as np

from ..floating_point import BF16, FP16, FP32, FP64
from .accuracy_table import FUNCTIONS, RUNGS
from .adapters import call_all
from .fresh_process import in_fresh_process


def sample(fmt):
    """Return fixed logits and labels of a format, of three sizes.

    Parameters
    ----------
    fmt : Format

    Returns
    -------
    list of (x, labels)
        Made of whole numbers and powers of two, which no processor rounds differently.
    """
    rng = np.random.default_rng(0)
    samples = []
    for n, scale in ((10, 8.0), (10, 512.0), (1000, 64.0)):
        whole = rng.integers(-(2**30), 2**30, size=(4000 // n, n))
        x = (whole * (scale / 2**30)).astype(fmt.dtype)
        samples.append((x, rng.integers(0, n, size=len(x))))
    return samples


def digests():
    """Hash the results of every rung on `sample`, in this process.

    Returns
    -------
    dict of str to str
        From ``"rung format"`` to the first 16 digits of the SHA-256 of all result bytes.
    """
    found = {}
    for rung, functions in RUNGS.items():
        for fmt in (FP64, FP32, FP16, BF16):
            digest = hashlib.sha256()
            for x, labels in sample(fmt):
                results = call_all(functions, x, labels)
                for name in FUNCTIONS:
                    result = results[name].astype(np.float64) + 0.0  # no -0.0
                    digest.update(result.astype("<f8").tobytes())
            found[f"{rung} {fmt}"] = digest.hexdigest()[:16]
    return found


def vector_instructions():
    """Return the names of NumPy's optional vector instructions that this processor has."""
    umath = (np._core if hasattr(np, "_core") else np.core)._multiarray_umath
    return [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]


def digests_without(instructions):
    """Hash the results of every rung in a fresh process without some vector instructions.

    Parameters
    ----------
    instructions : sequence of str
        Some of `vector_instructions`; none of them is used there.

    Returns
    -------
    dict of str to str
        As in `digests`.
    """
    return in_fresh_process(digests, NPY_DISABLE_CPU_FEATURES=" ".join(instructions))[0]
