"""The engine of the exercise checks; each chapter's checks have a test file of their own."""

import importlib
import pkgutil

import numpy as np
import pytest

from stable_softmax import checks, softmax_naive, softmax_shifted
from stable_softmax.checks import Case, check_cases

CASES = [
    Case("small", ([1.0, 2.0],), [0.2689414213699951, 0.7310585786300049]),
    Case("large", (np.array([1000.0, 1000.0]),), [0.5, 0.5]),
]


def test_a_right_answer_passes_and_prints_ok(capsys):
    report = check_cases(softmax_shifted, CASES)
    assert report and report.score == (2, 2)
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == "softmax_shifted: 2 of 2 checks passed"
    assert "FAIL" not in printed


def test_a_numpy_warning_is_a_failure_with_its_text(capsys):
    assert not check_cases(softmax_naive, CASES)
    assert "FAIL  large  NumPy warned: overflow encountered in exp" in capsys.readouterr().out


def reason(answer, case):
    return check_cases(answer, [case]).reasons[case.name]


X = np.array([1.0, 2.0])


def overwrites(x):
    x -= x.max()
    return x


@pytest.mark.parametrize(
    ("answer", "expected", "why"),
    [
        (lambda x: x + 2.0**-40, X, "got 1 at"),
        (lambda x: None, X, "nothing was returned"),
        (lambda x: "text", X, "expected an array of floating-point numbers"),
        (lambda x: x[:1], X, "shape (1,) instead of (2,)"),
        (lambda x: x * np.nan, X, "got nan at (0,), expected 1"),
        (lambda x: x.astype(int), X, "expected an array of floating-point numbers"),
        (overwrites, X - 2, "the argument was changed"),
        (lambda x: 1 // 0, X, "raised ZeroDivisionError"),
        (lambda x: x, ValueError, "no ValueError was raised"),
        (lambda x: x, lambda result: "wrong in spirit", "wrong in spirit"),
    ],
)
def test_every_kind_of_failure_has_its_reason(answer, expected, why):
    assert reason(answer, Case("case", (X,), expected)).startswith(why.split(" at")[0])


def test_an_expected_exception_passes():
    def refuses(x):
        raise ValueError("no")

    assert reason(refuses, Case("case", (X,), ValueError)) is None


def test_the_error_is_given_in_ulp():
    case = Case("case", (X,), X, max_ulp=1)
    assert "4 ulp" in reason(lambda x: x + np.array([4 * 2.0**-52, 0]), case)
    assert reason(lambda x: x + np.array([2.0**-52, 0]), case) is None


def test_the_arguments_of_a_case_survive_an_answer_that_overwrites_them():
    case = Case("case", (X,), X - 2)
    reason(overwrites, case)
    np.testing.assert_array_equal(X, [1, 2])


def test_arrays_inside_of_lists_are_compared_as_well():
    parameters = [(np.array([1.0, 2.0]), np.zeros(1))]
    case = Case("case", (parameters,), [0.0])
    assert reason(lambda layers: layers[0][1], case) is None
    assert reason(lambda layers: overwrites(layers[0][0])[:1], case) == "the argument was changed"


def test_calling_the_answer_instead_of_giving_it_is_explained():
    with pytest.raises(TypeError, match="give the function itself"):
        check_cases(softmax_shifted([1.0]), CASES)


def test_an_empty_report_has_not_passed():
    assert not check_cases(softmax_shifted, [])


def test_every_check_of_a_chapter_is_documented_and_reachable():
    modules = [module for _, module, _ in pkgutil.iter_modules(checks.__path__)]
    for module in modules:
        found = vars(importlib.import_module(f"stable_softmax.checks.{module}"))
        for name in (n for n in found if n.startswith("check_")):
            assert getattr(checks, name) is found[name], f"import {name} in checks/__init__.py"
            assert found[name].__doc__
