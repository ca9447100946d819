"""The engine of the exercise checks: run an answer on cases and print what happened."""

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..floating_point import FP64, format_of
from .verdict import Wrong, alike, difference, other_format
from .wording import raised, shapes, shown, text

_COLUMNS = 88  # as many as a page shows in a line


@dataclass(frozen=True)
class Case:
    """One case of a check.

    Parameters
    ----------
    name : str
        What the case tries, as the reader sees it: ``"large scores (1000)"``.
    arguments : tuple
        The positional arguments of the answer; it gets copies.
    expected : array_like, str, bool, None, type or callable
        The exact result; or the exception class that must be raised; or a function of the result
        that returns None if it is right and otherwise the reason, as text.
    max_ulp : float
        The largest error allowed, in ulp of the expected value in the format asked for.
    warnings_allowed : bool
        True where a NumPy warning is part of a right answer.
    dtype : dtype, Format or str, optional
        The format asked for; default: that of `expected`, and float64 where it has none.
    longer_allowed : bool
        False if the result must have this very dtype. A shorter one never passes.
    may_raise : bool
        True where any exception is as good as the expected result.
    """

    name: str
    arguments: tuple
    expected: object
    max_ulp: float = 4.0
    warnings_allowed: bool = False
    dtype: object = None
    longer_allowed: bool = True
    may_raise: bool = False

    @property
    def format(self):
        """The format in which errors are measured."""
        if self.dtype is not None:
            return format_of(self.dtype)
        found = getattr(self.expected, "dtype", None)
        return FP64 if found is None or found.kind in "biuO" else format_of(found)

    @property
    def exception(self):
        """The exception class that must be raised, or None."""
        is_class = isinstance(self.expected, type)
        return self.expected if is_class and issubclass(self.expected, BaseException) else None


@dataclass(frozen=True)
class Report:
    """The outcome of a check: true if every case passed.

    Parameters
    ----------
    title : str
        The name of the answer that was checked.
    reasons : dict of str to (str or None)
        For each case, None if it passed and otherwise all reasons why it failed.
    notes : dict of str to str
        What there is to say about cases that passed.
    hint : str, optional
        The mistake that explains all results.
    """

    title: str
    reasons: dict
    notes: dict = field(default_factory=dict)
    hint: str | None = None

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
            text = reason or self.notes.get(name, "")
            verdict = "FAIL" if reason else "ok  "
            line = f"  {verdict}  {name:<{width}}  {text}".rstrip()
            lines.append(line if len(line) <= _COLUMNS else f"  {verdict}  {name}\n        {text}")
        return "\n".join(lines + ([f"  Hint: {self.hint}"] if self.hint else []))


@dataclass(frozen=True)
class _Outcome:
    """What an answer did in one case."""

    case: Case
    result: object = None
    error: BaseException | None = None
    reasons: tuple[str, ...] = ()
    note: str | None = None


def check_cases(function, cases, title=None, *, draw=None, mistakes=None):
    """Run `function` on each case, print the table and return the report.

    Parameters
    ----------
    function : callable
        The reader's answer. Whatever it does (raise, warn, change its argument, return nonsense),
        the other cases still run.
    cases : iterable of Case
    title : str, optional
        Default: the name of the function.
    draw : callable, optional
        Takes a random generator and returns a case. An answer that passes all cases is tried on
        two more, so that no list of the printed results passes. They are other ones in every run,
        and the table has them only if they fail: with the call that repeats them.
    mistakes : dict of str to callable, optional
        Wrong answers, by what is wrong with them. If one of them does what `function` does in
        each case, the report ends with that hint.

    Returns
    -------
    Report

    Raises
    ------
    TypeError
        If `function` is not callable.
    KeyboardInterrupt
        If the run is interrupted, after the table of the cases so far.
    """
    if not isinstance(function, Callable):
        raise TypeError(f"give the function itself, without calling it; got {function!r}")
    title = text(title or _call(getattr, function, "__name__")[0] or "your answer")
    outcomes = []
    try:
        for case in cases:
            outcomes.append(_run(function, case))
        if draw and not any(outcome.reasons for outcome in outcomes):
            outcomes += _run_drawn(function, draw, title)
    except KeyboardInterrupt:
        outcomes.append(_Outcome(Case("the other cases", (), None), reasons=("interrupted",)))
        print(_report(title, outcomes))
        raise
    report = _report(title, outcomes, _hint(outcomes, mistakes or {}))
    print(report)
    return report


def _report(title, outcomes, hint=None):
    reasons = {o.case.name: "; ".join(o.reasons) or None for o in outcomes}
    notes = {o.case.name: o.note for o in outcomes if o.note and not o.reasons}
    return Report(title, reasons, notes, hint)


def _run(function, case):
    """Run an answer on one case, and find all that is wrong."""
    arguments = copy.deepcopy(case.arguments)
    result, error, warned = _call(function, *arguments)
    reasons, wanted = [], case.exception
    if wanted and not isinstance(error, wanted):
        reasons.append(f"{f'{raised(error)}; ' if error else ''}no {wanted.__name__} was raised")
    elif error and not wanted and not case.may_raise:
        reasons.append(raised(error) + shapes(function, case.arguments, error))
    if warned and not case.warnings_allowed and not wanted:
        reasons.append(f"NumPy warned: {', '.join(warned)}")
    if not _call(_same, arguments, case.arguments)[0]:
        reasons.append("the argument was changed")
    if not error and not wanted:
        reason, unreadable, _ = _call(_judge, result, case)
        if unreadable:
            is_ours = isinstance(unreadable, Wrong)
            reason = unreadable if is_ours else f"the result {raised(unreadable)}"
        reasons += [text(reason)] if reason else []
    reasons += _wrapped(function, case) if reasons else []
    note = _call(_note, result, case)[0] if not reasons else None
    return _Outcome(case, result, error, tuple(reasons), note)


def _run_drawn(function, draw, title):
    """Return the outcomes of drawn cases that failed."""
    rng, failed = np.random.default_rng(), []
    for name in ("a drawn case", "another drawn case"):
        outcome = _run(function, replace(draw(rng), name=name))
        if outcome.reasons:
            call = f"{title}({', '.join(map(shown, outcome.case.arguments))})"
            failed.append(replace(outcome, reasons=(*outcome.reasons, f"this was {call}")))
    return failed


def _call(function, *arguments):
    """Return what a function returns, what it raises, and NumPy's warnings as text."""
    result = error = None
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("always")
        try:
            result = function(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as other:  # an answer that exits must not end the check
            error = other
    texts = [text(w.message) for w in caught if issubclass(w.category, RuntimeWarning)]
    return result, error, list(dict.fromkeys(texts))


def _judge(result, case):
    if callable(case.expected):
        return case.expected(result)
    return difference(result, case.expected, case.format, case.max_ulp, case.longer_allowed)


def _note(result, case):
    """Say that a right result has a longer dtype than was asked for."""
    if callable(case.expected) or not hasattr(result, "dtype"):
        return None
    as_wanted = format_of(result) in (case.format, replace(case, dtype=None).format)
    return None if as_wanted else f"({other_format(result, case.format)})"


def _same(left, right):
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(
            left, right, equal_nan=left.dtype.kind == "f"
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return callable(left) or left is right or left == right


def _wrapped(function, case):
    """Name the wrap-around of integers, if the same numbers pass in float64."""
    for argument in case.arguments:
        if getattr(argument, "dtype", np.dtype(float)).kind not in "iu" or not argument.size:
            continue
        low, high = argument.min(keepdims=True).ravel(), argument.max(keepdims=True).ravel()
        if int(low[0]) - int(high[0]) == int((low - high)[0]):
            continue
        floats = [a.astype(np.float64) if a is argument else a for a in case.arguments]
        if not _run(function, replace(case, arguments=tuple(floats))).reasons:
            what = f"{low[0]} - {high[0]} wraps around to {(low - high)[0]}"
            return [f"the same numbers pass in float64: convert them (in {argument.dtype}, {what})"]
    return []


def _hint(outcomes, mistakes):
    """Return the mistake that does the same as the answer in every case."""
    if any(o.reasons and not o.error for o in outcomes):
        for hint, mistake in mistakes.items():
            if all(_does(mistake, outcome) for outcome in outcomes):
                return hint
    return None


def _does(mistake, outcome):
    result, error, _ = _call(mistake, *copy.deepcopy(outcome.case.arguments))
    if error or outcome.error:
        return type(error) is type(outcome.error)
    case = outcome.case
    return bool(_call(alike, outcome.result, result, case.format, case.max_ulp)[0])
