"""The engine of the exercise checks: run an answer on cases and print what happened."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..floating_point import format_of
from ..measure.error import ulp_error


@dataclass(frozen=True)
class Case:
    """One case of a check.

    Parameters
    ----------
    name : str
        What the case tries, as the reader sees it: ``"large scores (1000)"``.
    arguments : tuple
        The positional arguments of the answer; it gets copies.
    expected : array_like, type or callable
        The exact result; or the exception class that must be raised; or a function of the result
        that returns None if it is right and otherwise the reason, as text.
    max_ulp : float
        The largest error allowed, in ulp of the expected value in the result's format.
    warnings_allowed : bool
        True where a NumPy warning is part of a right answer.
    """

    name: str
    arguments: tuple
    expected: object
    max_ulp: float = 4.0
    warnings_allowed: bool = False


@dataclass(frozen=True)
class Report:
    """The outcome of a check: true if every case passed.

    Parameters
    ----------
    title : str
        The name of the answer that was checked.
    reasons : dict of str to (str or None)
        For each case, None if it passed and otherwise why it failed.
    """

    title: str
    reasons: dict

    def __bool__(self):
        return bool(self.reasons) and all(reason is None for reason in self.reasons.values())

    @property
    def score(self):
        """Number of cases that passed, and number of cases."""
        return sum(reason is None for reason in self.reasons.values()), len(self.reasons)

    def __str__(self):
        passed, count = self.score
        width = max((len(name) for name in self.reasons), default=0)
        lines = [f"{self.title}: {passed} of {count} checks passed"]
        for name, reason in self.reasons.items():
            lines.append(
                f"  {'FAIL' if reason else 'ok  '}  {name:<{width}}  {reason or ''}".rstrip()
            )
        return "\n".join(lines)


def check_cases(function, cases, title=None):
    """Run `function` on each case, print the table and return the report.

    Parameters
    ----------
    function : callable
        The reader's answer. Whatever it does (raise, warn, change its argument), the other cases
        still run.
    cases : iterable of Case
    title : str, optional
        Default: the name of the function.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        If `function` is not callable.
    """
    if not isinstance(function, Callable):
        raise TypeError(f"give the function itself, without calling it; got {function!r}")
    name = title or getattr(function, "__name__", "your answer")
    report = Report(name, {case.name: _failure(function, case) for case in cases})
    print(report)
    return report


def _failure(function, case):
    """Return None if the case passes, and otherwise the reason it fails."""
    arguments = copy.deepcopy(case.arguments)
    expects_error = isinstance(case.expected, type) and issubclass(case.expected, BaseException)
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("always")
        try:
            result = function(*arguments)
        except Exception as error:
            if expects_error and isinstance(error, case.expected):
                return None
            return f"raised {type(error).__name__}: {error}"
    if expects_error:
        return f"no {case.expected.__name__} was raised"
    numpy_warnings = [w for w in caught if issubclass(w.category, RuntimeWarning)]
    if numpy_warnings and not case.warnings_allowed:
        return f"NumPy warned: {numpy_warnings[0].message}"
    if not all(map(_same, arguments, case.arguments)):
        return "the argument was changed"
    return case.expected(result) if callable(case.expected) else _difference(result, case)


def _same(left, right):
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(
            left, right, equal_nan=left.dtype.kind == "f"
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return callable(left) or left == right


def _difference(result, case):
    """Compare a result with the expected array: None, or what is wrong with it."""
    if result is None:
        return "nothing was returned"
    expected = np.asarray(case.expected)
    try:
        result = np.asarray(result)
        format_of(result)
    except (TypeError, ValueError):
        return f"expected an array of floating-point numbers, got {type(result).__name__}"
    if result.shape != expected.shape:
        return f"shape {result.shape} instead of {expected.shape}"
    errors = ulp_error(result, expected)
    if np.all(errors <= case.max_ulp):
        return None
    worst = np.unravel_index(np.argmax(np.where(np.isnan(errors), np.inf, errors)), errors.shape)
    got, want = float(result[worst]), float(expected[worst])
    where = f" at {tuple(map(int, worst))}" if worst else ""
    size = f" ({errors[worst]:.3g} ulp)" if np.isfinite(errors[worst]) else ""
    return f"got {got:.6g}{where}, expected {want:.6g}{size}"
