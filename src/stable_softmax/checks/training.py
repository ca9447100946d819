"""Checks of the exercises of the chapter "Training on real digits"."""

import numpy as np

from .report import Case, check_cases


def check_monitor(function):
    """Check a function that finds the first tensor that is not finite.

    Parameters
    ----------
    function : callable
        Takes ``(names, tensors)``: a list of names and an array with one tensor in each row, in
        the order of computation. Returns the name of the first one that holds an inf or a nan,
        or None.

    Returns
    -------
    Report
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
    return check_cases(
        function, [Case(name, (names, np.array(rows)), _named(want)) for name, rows, want in cases]
    )


def check_standardize(function):
    """Check a function that standardizes the columns of a design matrix.

    Parameters
    ----------
    function : callable
        Takes ``(x_train, x_test)``; returns both, minus the mean of each training column and
        divided by its standard deviation. A column that is constant in the training data becomes
        zero there.

    Returns
    -------
    Report
    """
    rng = np.random.default_rng(0)
    x_train, x_test = rng.normal(3, 2, (40, 3)), rng.normal(4, 2, (10, 3))
    constant = np.array([1.0, 1.0, 0.0])
    cases = [
        ("ordinary columns", x_train, x_test),
        ("larger test data", x_train, 100 * x_test),
        ("a pixel that is always 0", x_train * constant, x_test * constant),
        ("a pixel that is 0 in training only", x_train * constant, x_test),
    ]
    return check_cases(
        function, [Case(name, tuple(given), _standardized(*given)) for name, *given in cases]
    )


def check_clip(function):
    """Check a function that shortens a gradient without turning it.

    Parameters
    ----------
    function : callable
        Takes ``(gradient, limit)``; returns the gradient where its length is at most `limit`, and
        otherwise the gradient of that length in the same direction.

    Returns
    -------
    Report
    """
    long, tiny = np.array([3e20, -4e20], np.float32), np.array([3e-30, 4e-30], np.float32)
    cases = [
        Case("too long: divided", (np.array([30.0, 40.0]), 5.0), np.array([3.0, 4.0])),
        Case("short enough: unchanged", (np.array([0.3, 0.4]), 5.0), np.array([0.3, 0.4])),
        Case("all zero: unchanged", (np.zeros(2), 5.0), np.zeros(2)),
        Case("squares overflow in float32", (long, 5.0), np.array([3.0, -4.0]), max_ulp=8),
        Case("squares underflow in float32", (tiny, 5.0), tiny.astype(np.float64)),
    ]
    return check_cases(function, cases)


def _named(expected):
    def reason(result):
        return None if result == expected else f"got {result!r}, expected {expected!r}"

    return reason


def _standardized(x_train, x_test):
    deviation = x_train.std(axis=0)
    divisor = np.where(deviation == 0, 1.0, deviation)
    wanted = [(x - x_train.mean(axis=0)) / divisor for x in (x_train, x_test)]

    def reason(result):
        try:
            got_train, got_test = (np.asarray(part, dtype=np.float64) for part in result)
        except (TypeError, ValueError):
            return "expected a pair of arrays (x_train, x_test)"
        pairs = {"x_train": (got_train, wanted[0]), "x_test": (got_test, wanted[1])}
        for name, (got, want) in pairs.items():
            if got.shape != want.shape:
                return f"{name}: shape {got.shape} instead of {want.shape}"
            if not np.all(np.isfinite(got)):
                return f"{name} holds {'nan' if np.any(np.isnan(got)) else 'inf'}"
            if not np.allclose(got, want, rtol=1e-12, atol=1e-12):
                return f"{name}: mean {got.mean():.3g} instead of {want.mean():.3g}"
        return None

    return reason
