"""The warnings that a page makes itself are those that NumPy gives where a processor has flags."""

import ast
import copy
import inspect
import itertools
import sys
import warnings

import numpy as np
import pytest

import stable_softmax
from tests.pages import ROOT

sys.path.append(str(ROOT / "book/run_in_page"))
import flags

NUMBERS = [0.0, -0.0, 1.0, -1.0, -2.5, 1e-300, 1e200, 1e308, -1e308, np.inf, -np.inf, np.nan]
MODES = {"over": "warn", "divide": "warn", "under": "ignore", "invalid": "warn"}
ONE = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "square", "sinh", "cosh"]


def told(function):
    """Return what NumPy itself warns of."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("always")
        function()
    return [str(warning.message) for warning in caught]


def watched_only(source, modes=MODES, **names):
    """Return what the watched code warns of, where NumPy itself is silent."""
    names |= {"np": np, "__flags__": flags}
    code = compile(flags.watched(ast.parse(source)), "cell", "exec")
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(np, "geterr", lambda: modes)
            for name in flags.FUNCTIONS:
                patch.setattr(np, name, flags.Watched(getattr(np, name), name))
            exec(code, names)
    return [str(warning.message) for warning in caught]


def both(source, **names):
    """Return what NumPy warns of, and what the watched code does."""
    own = told(lambda: exec(source, {"np": np, **names}))
    return own, watched_only(source, **names)


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("x", NUMBERS)
def test_a_function_warns_as_it_does_with_flags(name, x):
    own, watched = both(f"np.{name}(x)", x=np.array([x, 1.0]))
    assert watched == own


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "**"])
@pytest.mark.parametrize("kind", [np.array, np.float64])
def test_an_operator_warns_as_it_does_with_flags(operator, kind):
    for x, y in itertools.product(NUMBERS, NUMBERS):
        if operator == "**" and np.isinf([x, y]).any():
            continue  # what is noted of these differs from machine to machine
        own, watched = both(f"x {operator} y", x=kind(x), y=kind(y))
        assert watched == own, (x, y)


@pytest.mark.parametrize(
    "source",
    [
        "x = np.array([1e308, 1.0]); x *= 10",
        "x = np.array([1.0, 0.0]); x /= x",
        "x = np.array([[1.0, 0.0]]); x[0, 1] /= 0",
        "np.sum(np.array([1e308, 1e308]))",
        "np.array([1e308, 1e308]).sum()",
        "np.array([np.inf, -np.inf]).sum()",
        "np.cumsum(np.array([1e308, 1e308, 1.0]))",
        "np.array([1e5, 1.0]).astype(np.float16)",
        "np.asarray(np.array([1e39]), dtype=np.float32)",
        "np.float16(1e5)",
        "np.array([[1e308, 1e308]]) @ np.array([10.0, 10.0])",
        "np.array([[0.0, 1.0]]) @ np.array([np.inf, 1.0])",
        "np.array([[0.0, 0.0]]) @ np.array([[np.nan, 1.0], [np.inf, 2.0]])",
        "np.array([[1.0, 2.0]]) @ np.array([np.nan, 1.0])",
        "np.array([[1.0, 2.0]]) @ np.array([np.inf, 1.0])",
        "np.logaddexp(np.array([1.0]), 2.0)",
        "e = np.exp(np.array([1000.0, 1.0])); e / np.sum(e)",
        "np.divide(np.array([1.0]), np.array([0.0]))",
        "np.log(np.float32(0))",
        "1 + 2, 'a' + 'b', [1] * 3, 2 ** 10",
        "np.array([1.0, 2.0]).sum(axis=-1, keepdims=True)",
        "np.array(['a', 'b'])",
    ],
)
def test_a_statement_warns_as_it_does_with_flags(source):
    own, watched = both(source)
    assert watched == own


@pytest.mark.parametrize(
    "source",
    [
        "np.exp(np.array([-800.0, 1.0]))",
        "np.exp(np.array([-np.inf, 0.0]))",
        "np.array([1e-200]) * 1e-200",
        "np.array([1e-200, 0.0]) / np.array([1e200, 1.0])",
        "np.float32(1e-30) * np.float32(1e-30)",
        "np.array([1.0]) * 0.0",
    ],
)
def test_underflow_is_told_where_it_is_asked_for(source):
    with warnings.catch_warnings(record=True) as own, np.errstate(all="warn"):
        warnings.simplefilter("always")
        exec(source)
    watched = watched_only(source, modes=MODES | {"under": "warn"})
    assert watched == [str(warning.message) for warning in own]


@pytest.mark.parametrize("source", ["x += 1", "x[0] -= 2", "x = x ** 2 @ x", "x = x // 2 % 3"])
def test_watched_code_computes_the_same(source):
    results = []
    for tree in (ast.parse(source), flags.watched(ast.parse(source))):
        names = {"x": np.array([3.0, 4.0]), "__flags__": flags}
        exec(compile(tree, "cell", "exec"), names)
        results.append(names["x"])
    np.testing.assert_array_equal(*results)


def test_in_place_means_the_same_array():
    x = np.ones(2)
    watched_only("x += 1\nx[0] *= 3", x=x)
    np.testing.assert_array_equal(x, [6, 2])


def test_errstate_decides_what_becomes_of_it():
    x = np.array([1000.0])
    exp = flags.Watched(np.exp, "exp")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        exp(x)
    with pytest.raises(FloatingPointError, match="overflow"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "geterr", lambda: dict.fromkeys(MODES, "raise"))
        with np.errstate(all="ignore"):
            exp(x)


def test_a_warning_is_told_at_the_line_of_the_cell():
    source = "x = 1\ny = np.array([0.0]) / 0\n"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        code = compile(flags.watched(ast.parse(source)), "cell", "exec")
        with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
            patch.setattr(np, "geterr", lambda: MODES)
            exec(code, {"np": np, "__flags__": flags})
    assert [(w.filename, w.lineno) for w in caught] == [("cell", 2)]


def test_the_rest_of_a_watched_function_is_as_it_was():
    exp = flags.Watched(np.exp, "exp")
    assert exp.nin == 1 and exp.__name__ == "exp" and repr(exp) == repr(np.exp)
    assert copy.deepcopy([exp])[0] is exp
    add = flags.Watched(np.add, "add")
    assert add.reduce([1, 2, 3]) == 6


def test_what_is_watched_rests_and_is_watched_again_even_after_an_error(monkeypatch):
    exp = np.exp
    watched = flags.Watched(exp, "exp")
    monkeypatch.setattr(np, "exp", watched)
    with pytest.raises(ZeroDivisionError), flags.resting():
        assert np.exp is exp
        raise ZeroDivisionError
    assert np.exp is watched


def test_the_package_is_watched_as_a_whole_and_its_source_can_still_be_read():
    name = "stable_softmax.softmax"
    spec = flags.Finder.find_spec(name, stable_softmax.__path__)
    functions = filter(inspect.iscode, spec.loader.get_code(name).co_consts)
    assert any("__flags__" in function.co_names for function in functions)
    assert spec.loader.get_source(name).startswith('"""')
    assert flags.Finder.find_spec("numpy") is None


def test_here_the_flags_are_there():
    assert flags.are_there()
