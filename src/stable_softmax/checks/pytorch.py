"""Checks of the exercises of the chapter "The losses of PyTorch". They need NumPy only."""

import numpy as np

from ..cross_entropy import cross_entropy_shifted
from ..floating_point import FP64
from ..measure.exact import cross_entropy_exact
from .drawn import eighths
from .report import Case, check_cases


def check_mean_loss(function):
    """Check a mean cross-entropy that leaves out the samples with the label -100.

    The answer takes ``(x, labels)``, logits of shape (m, n) and class indices of shape (m,);
    returns the mean over the samples whose label is not -100, and 0 if there is none. Another
    negative label may raise, or count from the last class.
    """
    x = np.array([[1.0, 3.0, 2.0], [300.0, 0.0, -300.0], [0.0, 0.5, 0.0]])
    labels = np.array([1, 2, 0])
    ignored = np.array([1, -100, 0])
    cases = [
        _mean_case("nothing ignored", x, labels),
        _mean_case("one sample ignored", x, ignored),
        _mean_case("ignored sample of nan", _with_row(x, 1, np.nan), ignored),
        _mean_case("ignored sample of inf", _with_row(x, 1, np.inf), ignored),
        _mean_case("all samples ignored", x, np.full(3, -100)),
        _mean_case("the label -1 is not ignored", x, np.array([1, 0, -1]), may_raise=True),
    ]

    def draw(rng):
        x, labels = eighths(rng, 5, 3), rng.integers(3, size=5)
        labels[rng.integers(5)] = -100
        return _mean_case("drawn", x, labels, max_ulp=16.0)

    return check_cases(
        function,
        cases,
        draw=draw,
        mistakes={
            "only the label -100 is ignored": lambda x, labels: _mean(x, labels, labels >= 0),
            "the sum is divided by the number of all samples": (
                lambda x, labels: _mean(x, labels, labels != -100) * np.mean(labels != -100)
            ),
            "this is the sum, not the mean": (
                lambda x, labels: _mean(x, labels, labels != -100) * np.sum(labels != -100)
            ),
        },
    )


def check_binary_loss(function):
    """Check the cross-entropy of a sigmoid, computed from the logit.

    The answer takes ``(z, y)``, logits and labels (0 or 1) of one floating-point dtype and shape;
    returns one loss for each pair.
    """
    moderate = np.linspace(-1.0, 1.0, 5)
    cases = [
        _binary_case("moderate, label 0", moderate, 0),
        _binary_case("moderate, label 1", moderate, 1),
        _binary_case("wrong and sure, label 0", [40.0, 1000.0], 0),
        _binary_case("wrong and sure, label 1", [-40.0, -1000.0], 1),
        _binary_case("right and sure, label 0", [-17.0, -40.0], 0),
        _binary_case("right and sure, label 1", [17.0, 40.0], 1),
        _binary_case("both labels at once", [17.0, -17.0, 0.5, -3.0], [1, 0, 0, 1]),
        _binary_case("float32, label 0", np.float32([-17.0, 95.0]), 0),
        _binary_case("float32, label 1", np.float32([17.0, -95.0]), 1),
    ]
    return check_cases(
        function,
        cases,
        draw=lambda rng: _binary_case(
            "drawn", eighths(rng, 4, within=40), rng.integers(2, size=4), max_ulp=8.0
        ),
        mistakes={
            "the labels are swapped": lambda z, y: _softplus(np.where(y == 1, z, -z)),
            "(1 - y) z + log(1 + exp(-z)) cancels for a large negative z and label 0": (
                lambda z, y: (1 - y) * z + _softplus(-z)
            ),
            "log(1 + exp(t)) rounds a small exp(t) away: use log1p": (
                lambda z, y: np.maximum(z, 0) - z * y + np.log(1 + np.exp(-np.abs(z)))
            ),
        },
    )


def _losses(x, labels):
    return cross_entropy_shifted(x, np.where(labels == -100, 0, labels))


def _mean(x, labels, kept):
    return np.sum(cross_entropy_shifted(x[kept], labels[kept])) / max(np.sum(kept), 1)


def _softplus(t):
    return np.maximum(t, 0) + np.log1p(np.exp(-np.abs(t)))


def _two_step(z, y):
    p = 1 / (1 + np.exp(-z))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def _with_row(x, row, value):
    changed = x.copy()
    changed[row] = value
    return changed


def _mean_case(name, x, labels, **options):
    kept = labels != -100
    exact = cross_entropy_exact(x[kept], labels[kept] % x.shape[-1], dtype=FP64)
    return Case(name, (x, labels), exact.mean() if kept.any() else 0.0, **options)


def _binary_case(name, z, labels, max_ulp=4.0):
    z = np.asarray(z)
    labels = np.broadcast_to(labels, z.shape)
    pairs = np.stack([np.zeros_like(z), z], axis=-1)
    return Case(name, (z, labels.astype(z.dtype)), cross_entropy_exact(pairs, labels), max_ulp)
