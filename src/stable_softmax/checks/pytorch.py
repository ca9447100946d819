"""Checks of the exercises of the chapter "The losses of PyTorch". They need NumPy only."""

import numpy as np

from ..floating_point import FP64
from ..measure.exact import cross_entropy_exact
from .report import Case, check_cases


def check_mean_loss(function):
    """Check a mean cross-entropy that leaves out the samples with the label -100.

    Parameters
    ----------
    function : callable
        Takes ``(x, labels)``, logits of shape (m, n) and class indices of shape (m,); returns
        the mean over the samples whose label is not -100, and 0 if there is none.

    Returns
    -------
    Report
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
    ]
    return check_cases(function, cases)


def check_binary_loss(function):
    """Check the cross-entropy of a sigmoid, computed from the logit.

    Parameters
    ----------
    function : callable
        Takes ``(z, y)``, logits and labels (0 or 1) of one floating-point dtype and shape;
        returns one loss for each pair.

    Returns
    -------
    Report
    """
    moderate = np.linspace(-1.0, 1.0, 5)
    cases = [
        _binary_case("moderate, label 0", moderate, 0),
        _binary_case("moderate, label 1", moderate, 1),
        _binary_case("wrong and sure, label 0", [40.0, 1000.0], 0),
        _binary_case("wrong and sure, label 1", [-40.0, -1000.0], 1),
        _binary_case("right and sure, label 0", [-17.0, -40.0], 0),
        _binary_case("right and sure, label 1", [17.0, 40.0], 1),
        _binary_case("float32, label 0", np.float32([-17.0, 95.0]), 0),
        _binary_case("float32, label 1", np.float32([17.0, -95.0]), 1),
    ]
    return check_cases(function, cases)


def _with_row(x, row, value):
    changed = x.copy()
    changed[row] = value
    return changed


def _mean_case(name, x, labels):
    kept = labels != -100
    exact = cross_entropy_exact(x[kept], labels[kept], dtype=FP64)
    return Case(name, (x, labels), exact.mean() if kept.any() else 0.0)


def _binary_case(name, z, label):
    z = np.asarray(z)
    pairs = np.stack([np.zeros_like(z), z], axis=-1)
    expected = cross_entropy_exact(pairs, np.full(z.shape, label))
    return Case(name, (z, np.full_like(z, label)), expected)
