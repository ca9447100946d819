"""The input families on which accuracy is measured, each with the reason why it is there.

A family makes rows of logits in a format. The logits are rounded to the format first and are then
exact: what that rounding costs is another question (chapter ``low_precision``).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..exact_numbers import count
from ..floating_point import BF16, FP16, FP32, FP64, format_of
from .exact import logsumexp_exact


@dataclass(frozen=True)
class InputFamily:
    """A seeded family of logits.

    Parameters
    ----------
    name : str
        Such as ``"normal, n = 10"``.
    n : int
        Number of classes.
    reason : str
        Why it is measured, as half a sentence.
    make : callable
        ``make(rng, shape, fmt)`` returns float64 numbers, to be rounded to the format.
    formats : tuple of Format
        Where the family makes sense.
    """

    name: str
    n: int
    reason: str
    make: Callable
    formats: tuple = (FP64, FP32, FP16, BF16)

    def samples(self, fmt, elements=20_000):
        """Return logits and labels; the same ones in every call.

        Parameters
        ----------
        fmt : dtype, Format or str
            One of `formats`.
        elements : int
            How many logits, about; at least one row.

        Returns
        -------
        x : array of the format's dtype, shape (rows, n)
        labels : int array, shape (rows,)
            The largest logit in every other row, where the loss is small, and a random class in
            the others.

        Raises
        ------
        TypeError
            If the format is not one of this book, or `elements` is not an int.
        ValueError
            If the family makes no sense in the format, or `elements` is not positive.
        """
        fmt = format_of(fmt)
        if fmt not in self.formats:
            known = ", ".join(map(str, self.formats))
            raise ValueError(f"{self.name!r} is measured in {known}, not in {fmt}")
        rng = np.random.default_rng(0)
        rows = max(1, count(elements, "elements") // self.n)
        x = self.make(rng, (rows, self.n), fmt).astype(fmt.dtype)
        labels = rng.integers(0, self.n, rows)
        labels[::2] = np.argmax(x[::2].astype(np.float64), axis=-1)
        return x, labels


def _normal(scale=1.0, offset=0.0):
    return lambda rng, shape, fmt: offset + scale * rng.normal(size=shape)


def _dominant(rng, shape, fmt):
    x = rng.normal(size=shape)
    x[:, 0] += rng.uniform(0.0, 60.0, size=shape[0])
    return x


def _equal(rng, shape, fmt):
    return np.broadcast_to(30.0 * rng.normal(size=(shape[0], 1)), shape)


def _canceling(rng, shape, fmt):
    x = rng.normal(size=shape).astype(fmt.dtype).astype(np.float64)
    return x - logsumexp_exact(x)[:, np.newaxis]


def _ties(rng, shape, fmt):
    return rng.integers(0, 4, size=shape).astype(np.float64)


def _subnormal(rng, shape, fmt):
    _, subnormal_below, zero_below = fmt.exp_range
    x = rng.uniform(zero_below, subnormal_below, size=shape)
    x[:, 0] = 0.0
    return x


def _few_distinct(rng, shape, fmt):
    values = rng.normal(size=(shape[0], 5)).astype(BF16.dtype).astype(np.float64)
    return np.take_along_axis(values, rng.integers(0, 5, size=shape), axis=-1)


#: The registry, in the order of the tables.
FAMILIES = (
    InputFamily("normal, n = 10", 10, "ordinary logits of a small classifier", _normal()),
    InputFamily("normal, n = 1,000", 1000, "ordinary logits of an image classifier", _normal()),
    InputFamily("normal, n = 50,000", 50_000, "a vocabulary: long sums", _normal()),
    InputFamily("scale 30, n = 10", 10, "exp magnifies the rounding of the shift", _normal(30.0)),
    InputFamily("scale 30, n = 1,000", 1000, "the same for many classes", _normal(30.0)),
    InputFamily("scale 300, n = 10", 10, "down to the end of the exponential", _normal(300.0)),
    InputFamily("scale 300, n = 1,000", 1000, "the same for many classes", _normal(300.0)),
    InputFamily("dominant, n = 10", 10, "a sure answer: the loss is tiny", _dominant),
    InputFamily("equal, n = 10", 10, "no class stands out: p = 1/10", _equal),
    InputFamily("equal, n = 1,000", 1000, "sums of ones, which stall in short formats", _equal),
    InputFamily("canceling, n = 10", 10, "log-sum-exp near 0 by cancellation", _canceling),
    InputFamily("canceling, n = 1,000", 1000, "the same for many classes", _canceling),
    InputFamily("offset 1e4, n = 10", 10, "a large common offset", _normal(offset=1e4)),
    InputFamily("offset 1e8, n = 10", 10, "a huge one", _normal(offset=1e8), (FP64, FP32, BF16)),
    InputFamily("negative, n = 10", 10, "far below 0: exp underflows", _normal(3.0, -1000.0)),
    InputFamily("ties, n = 10", 10, "several classes share the maximum", _ties),
    InputFamily("subnormal, n = 10", 10, "probabilities below the normal range", _subnormal),
    InputFamily("few values, n = 1,000", 1000, "a network in bfloat16: few values", _few_distinct),
)
