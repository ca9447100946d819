"""Checks of the exercises of the chapter "Training on real digits"."""

import math

import numpy as np

from .drawn import eighths
from .report import Case, check_cases
from .verdict import apart, numbers_of, parts_of


def check_monitor(function):
    """Check a function that finds the first tensor that is not finite.

    The answer takes ``(names, tensors)``: a list of names and an array with one tensor in each row,
    in the order of computation. Returns the name of the first one that holds an inf or a nan, or
    None.
    """
    nan, inf = np.nan, np.inf
    names = ["logits", "loss", "gradient"]
    cases = [
        ("all finite", [[1, -2], [0, 3], [1, -1]], None),
        ("nan in the loss", [[1, -2], [0, nan], [1, -1]], "loss"),
        ("nan in the logits and after", [[1, nan], [nan, nan], [nan, nan]], "logits"),
        ("inf in the loss, nan after it", [[1, -2], [0, inf], [nan, nan]], "loss"),
        ("only -inf", [[-inf, 0], [0, 0], [1, -1]], "logits"),
        ("inf and -inf in one tensor", [[1, -2], [0, 3], [inf, -inf]], "gradient"),
        ("large, but finite", [[1e308, 1e308], [0, 3], [1, -1]], None),
    ]

    def draw(rng):
        names, rows = rng.permutation(["z", "h", "x", "p"]).tolist(), eighths(rng, 4, 3)
        first = rng.integers(4)
        rows[first, rng.integers(3)] = rng.choice([nan, inf, -inf])
        rows[first + 1 :, rng.integers(3)] = nan
        return Case("drawn", (names, rows), names[first])

    return check_cases(
        function,
        [Case(name, (names, np.array(rows)), want) for name, rows, want in cases],
        draw=draw,
        mistakes={
            "minus infinity is not finite either": (
                lambda names, rows: _first(names, np.any(np.isnan(rows) | (rows == inf), axis=1))
            ),
            "the sum of finite numbers may overflow: look at each number": (
                lambda names, rows: _first(names, ~np.isfinite(np.sum(rows, axis=1)))
            ),
        },
    )


def check_standardize(function):
    """Check a function that standardizes the columns of a design matrix.

    The answer takes ``(x_train, x_test)``; returns both, minus the mean of each training column and
    divided by its standard deviation. A column that is constant in the training data becomes zero
    there.
    """
    rng = np.random.default_rng(0)
    x_train, x_test = rng.normal(3, 2, (40, 3)), rng.normal(4, 2, (10, 3))
    kept, at_16 = np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 16.0])
    cases = [
        ("ordinary columns", x_train, x_test),
        ("larger test data", x_train, 100 * x_test),
        ("a pixel that is always 0", x_train * kept, x_test * kept),
        ("a pixel that is 0 in training only", x_train * kept, x_test),
        ("a pixel that is always 16", x_train * kept + at_16, x_test * kept + at_16),
    ]

    def draw(rng):
        x_train, x_test = rng.integers(0, 17, size=(4, 3)), rng.integers(0, 17, size=(2, 3))
        x_train[:, rng.integers(3)] = rng.integers(1, 17)
        return _standardize_case("drawn", x_train.astype(float), x_test.astype(float))

    return check_cases(
        function,
        [_standardize_case(*case) for case in cases],
        draw=draw,
        mistakes={
            "the test images need the mean and deviation of the training images": (
                lambda a, b: (_scaled(a, a, _divisor)[0], _scaled(b, b, _divisor)[0])
            ),
            "np.std divides by the number of images, not by one less (ddof=1)": (
                lambda a, b: _scaled(a, b, lambda x, axis: _divisor(x, axis, ddof=1))
            ),
            "the columns are not divided by their standard deviation": (
                lambda a, b: _scaled(a, b, lambda x, axis: 1.0)
            ),
            "this takes one mean and one deviation of all pixels; each column has its own": (
                lambda a, b: ((a - a.mean()) / a.std(), (b - a.mean()) / a.std())
            ),
        },
    )


def check_clip(function):
    """Check a function that shortens a gradient without turning it.

    The answer takes ``(gradient, limit)``; returns the gradient where its length is at most
    `limit`, and otherwise the gradient of that length in the same direction.
    """
    long, tiny = np.array([3e20, -4e20], np.float32), np.array([3e-30, 4e-30], np.float32)
    clipped = np.array([3.0, -4.0], np.float32)
    cases = [
        Case("too long: divided", (np.array([30.0, 40.0]), 5.0), np.array([3.0, 4.0])),
        Case("short enough: unchanged", (np.array([0.3, 0.4]), 5.0), np.array([0.3, 0.4])),
        Case("all zero: unchanged", (np.zeros(2), 5.0), np.zeros(2)),
        Case("squares overflow in float32", (long, 5.0), clipped, max_ulp=8.0),
        Case("squares underflow in float32", (tiny, 5.0), tiny),
    ]

    def draw(rng):
        gradient = eighths(rng, 3, within=20)
        gradient[0] += 40  # longer than any limit that is drawn
        limit = rng.integers(1, 64) / 8
        clipped = gradient * (limit / math.hypot(*gradient))
        return Case("drawn", (gradient, limit), clipped, max_ulp=8.0)

    return check_cases(
        function,
        cases,
        draw=draw,
        mistakes={
            "a gradient that is too long gets the length limit, not 1": (
                lambda gradient, limit: gradient / _length_above(limit, gradient)
            ),
            "each entry is clipped, which turns the gradient: divide all entries by one number": (
                lambda gradient, limit: np.clip(gradient, -limit, limit)
            ),
            "the squares overflow in float32: divide by the largest entry before squaring": (
                lambda gradient, limit: (
                    gradient * min(1, limit / max(np.sqrt(np.sum(gradient**2)), 1e-300))
                )
            ),
        },
    )


def _first(names, found):
    return next((name for name, is_it in zip(names, found, strict=True) if is_it), None)


def _length_above(limit, gradient):
    length = math.hypot(*gradient.tolist())
    return length if length > limit else 1.0


def _divisor(x, axis, ddof=0):
    deviation = np.std(x, axis=axis, ddof=ddof)
    return np.where(deviation == 0, 1.0, deviation)


def _scaled(x_train, x_test, divisor):
    mean, scale = x_train.mean(axis=0), divisor(x_train, axis=0)
    return (x_train - mean) / scale, (x_test - mean) / scale


def _standardize_case(name, x_train, x_test):
    wanted = _scaled(x_train, x_test, _divisor)
    names = ("x_train", "x_test")

    def reason(result):
        parts = parts_of(result, names)
        found = [_unlike(*part) for part in zip(names, parts, wanted, strict=True)]
        return "; ".join(filter(None, found)) or None

    return Case(name, (x_train, x_test), reason)


def _unlike(name, part, want):
    """Say which column differs first, and whether it is the mean or the deviation."""
    got = numbers_of(part)
    if got.shape != want.shape:
        return f"{name}: shape {got.shape} instead of {want.shape}"
    if not np.all(np.isfinite(got)):
        return f"{name} holds {'nan' if np.any(np.isnan(got)) else 'inf'}"
    columns = np.flatnonzero(~np.all(np.isclose(got, want, rtol=1e-12, atol=1e-12), axis=0))
    for j in columns[:1]:
        for what, f in {"mean": np.mean, "standard deviation": np.std}.items():
            one, other = float(f(got[:, j])), float(f(want[:, j]))
            if abs(one - other) > 1e-9 * max(1.0, abs(other)):
                one, other = apart(one, other)
                return f"{name}: column {j} has the {what} {one} instead of {other}"
        return f"{name}: column {j} has other entries than expected"
    return None
