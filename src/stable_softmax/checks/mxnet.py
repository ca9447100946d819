"""Checks of the exercises in the chapter ``mxnet``; they need NumPy only."""

import numpy as np

from ..measure.exact import cross_entropy_exact, logsumexp_exact
from .report import Case, check_cases


def check_strict_labels(function):
    """Check a cross-entropy of a batch that refuses labels which are no class indices.

    Parameters
    ----------
    function : callable
        ``function(x, labels)`` takes logits of shape (k, n) and an array of k labels, and returns
        k losses; ``ValueError`` for a label out of range, ``TypeError`` for labels of another type.

    Returns
    -------
    Report
        True if every case passed; printed as a table.
    """
    x = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, 1000.0]])
    good = np.array([2, 1])
    cases = [
        Case("labels 2 and 1", (x, good), cross_entropy_exact(x, good)),
        Case("unsigned labels", (x, good.astype(np.uint8)), cross_entropy_exact(x, good)),
        Case("label 3 of 3 classes", (x, np.array([0, 3])), ValueError),
        Case("label -1", (x, np.array([-1, 0])), ValueError),
        Case("label 0.9", (x, np.array([0.9, 1.0])), TypeError),
        Case("true and false as labels", (x, np.array([True, False])), TypeError),
    ]
    return check_cases(function, cases)


def check_log_distribution(function):
    """Check a test for log-probabilities: none positive, none nan, and their sum is 1.

    Parameters
    ----------
    function : callable
        ``function(logp)`` takes a vector and returns True or False. It must accept a sum that is
        1 up to 1e-5, and no positive entry.

    Returns
    -------
    Report
        True if every case passed; printed as a table.
    """
    third = np.log(np.full(3, 1 / 3))
    cases = [
        ("three equal classes", third, True),
        ("one impossible class", np.array([0.0, -np.inf]), True),
        ("a sure class", np.array([-4.2e-18, -40.0]), True),
        ("float32", third.astype(np.float32), True),
        ("a sum of 0.9", np.log([0.5, 0.4]), False),
        ("a sum of 1.1", np.log([0.5, 0.6]), False),
        ("a sure class with log p = 1.43e-6", np.array([1.43e-6, -20.0]), False),
        ("the same in float32", np.array([1.43e-6, -20.0], np.float32), False),
        ("a nan", np.array([np.nan, 0.0]), False),
        ("all impossible", np.array([-np.inf, -np.inf]), False),
    ]
    return check_cases(
        function, [Case(name, (logp,), _expects(answer)) for name, logp, answer in cases]
    )


def check_wide_sum(function):
    """Check a log-sum-exp of float16 logits that adds in a longer format.

    Parameters
    ----------
    function : callable
        ``function(x)`` takes float16 logits of shape (n,) and returns one float16 number.

    Returns
    -------
    Report
        True if every case passed; printed as a table.
    """
    rng = np.random.default_rng(0)
    inputs = {
        "two classes": np.array([0.0, 1.0]),
        "2000 equal classes": np.zeros(2000),
        "3000 equal classes": np.zeros(3000),
        "50,000 equal classes": np.zeros(50_000),
        "50,000 random logits": rng.normal(size=50_000),
        "logits near 1000": np.full(5000, 1000.0),
    }
    cases = []
    for name, x in inputs.items():
        x = x.astype(np.float16)
        cases.append(Case(name, (x,), _rounded_once(logsumexp_exact(x)), max_ulp=1.0))
    return check_cases(function, cases)


def _expects(answer):
    def judge(result):
        if not isinstance(result, bool | np.bool_):
            return f"expected True or False, got {result!r}"
        return None if bool(result) is answer else f"got {bool(result)}, expected {answer}"

    return judge


def _rounded_once(exact):
    def judge(result):
        if getattr(result, "dtype", None) != np.float16:
            return f"expected float16, got {getattr(result, 'dtype', type(result).__name__)}"
        got, want = float(result), float(exact)
        near = abs(got - want) <= np.spacing(np.float16(want))
        return None if near else f"got {got:.6g}, expected {want:.6g}"

    return judge
