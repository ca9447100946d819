"""The engine of the exercise checks; each chapter's checks have a test file of their own."""

import importlib
import pkgutil
import re
import warnings
from decimal import Decimal
from fractions import Fraction

import jupytext
import numpy as np
import pytest

from stable_softmax import BF16, checks, softmax_exact, softmax_naive, softmax_shifted
from stable_softmax.checks import Case, Report, check_cases
from tests.pages import CHAPTERS, ROOT

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
    assert "FAIL  large\n        NumPy warned: overflow encountered" in capsys.readouterr().out


def test_a_reason_that_is_too_long_for_a_line_has_one_of_its_own(capsys):
    check_cases(softmax_naive, CASES)
    check_cases(lambda x: [0.5], CASES)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "  FAIL  large" and lines[3].startswith("        NumPy warned: ")
    assert lines[-1] == "  FAIL  large  shape (1,) instead of (2,)"


def has_own_line(reason, name):
    """Whether a reason is too long to stand beside the name of its case."""
    return len(f"  FAIL  {name}  {reason or ''}") > 88


def reason(answer, case):
    return check_cases(answer, [case]).reasons[case.name]


X = np.array([1.0, 2.0])


def overwrites(x):
    x -= x.max()
    return x


@pytest.mark.parametrize(
    ("answer", "expected", "why"),
    [
        (
            lambda x: x + 2.0**-20,
            X,
            "got 1.000001 at (0,), expected 1.000000 (relative error 9.5e-07)",
        ),
        (lambda x: None, X, "nothing was returned"),
        (lambda x: "text", X, "expected numbers, got str"),
        (lambda x: x[:1], X, "shape (1,) instead of (2,)"),
        (lambda x: x, 1.0, "expected one number, got the shape (2,)"),
        (lambda x: x * np.nan, X, "got nan at (0,), expected 1"),
        (overwrites, X - 2, "the argument was changed"),
        (lambda x: 1 // 0, X, "raised ZeroDivisionError"),
        (lambda x: x, ValueError, "no ValueError was raised"),
        (lambda x: [][1], ValueError, "raised IndexError: list index out of range; no ValueError"),
        (lambda x: x, lambda result: "wrong in spirit", "wrong in spirit"),
        (lambda x: "b", "a", "got 'b', expected 'a'"),
        (lambda x: 1, True, "expected True or False, got 1"),
        (lambda x: np.bool_(False), True, "got False, expected True"),
        (lambda x: 0, None, "got 0, expected None"),
    ],
)
def test_every_kind_of_failure_has_its_reason(answer, expected, why):
    assert reason(answer, Case("case", (X,), expected)).startswith(why)


def test_an_expected_exception_passes():
    def refuses(x):
        raise ValueError("no")

    assert reason(refuses, Case("case", (X,), ValueError)) is None


def test_where_an_exception_is_as_good_as_a_result_both_pass_and_nothing_else():
    def refuses(x):
        raise IndexError

    case = Case("case", (X,), X, may_raise=True)
    assert reason(refuses, case) is None
    assert reason(lambda x: x, case) is None
    assert reason(lambda x: 2 * x, case)


def test_a_small_error_is_given_in_ulp_and_a_large_one_relative():
    case = Case("case", (X,), X, max_ulp=1)
    assert "4 ulp" in reason(lambda x: x + np.array([4 * 2.0**-52, 0]), case)
    assert "relative error 2.2e-13" in reason(lambda x: x + np.array([1001 * 2.0**-52, 0]), case)
    assert reason(lambda x: x + np.array([2.0**-52, 0]), case) is None


def test_an_error_of_a_number_near_0_has_no_size_that_says_nothing():
    assert reason(lambda x: X, Case("case", (X,), X * 1e-300)) == "got 1 at (0,), expected 1e-300"
    assert reason(lambda x: X, Case("case", (X,), 0 * X)) == "got 1 at (0,), expected 0"


@pytest.mark.parametrize("ulps", [5, 64, 149, 18_000])
def test_two_numbers_that_differ_never_look_equal(ulps):
    for value in (-0.407606, -2302.59, 6.60914e-305, 0.41703):
        case = Case("case", (X,), np.float64(value))
        why = reason(lambda x, v=value: v + ulps * np.spacing(v), case)
        got, expected = re.match(r"got (\S+), expected (\S+) \(", why).groups()
        assert got != expected


def test_minus_zero_is_printed_as_zero():
    assert reason(lambda x: -0.0 * x, Case("case", (X,), X)).startswith("got 0 at")


def test_all_reasons_of_a_case_are_given():
    def three_bugs(x):
        x -= 1
        return np.log(np.zeros(2)) - np.sqrt(-np.ones(2))

    assert reason(three_bugs, Case("case", (X,), X)) == (
        "NumPy warned: divide by zero encountered in log, invalid value encountered in sqrt; "
        "the argument was changed; got nan at (0,), expected 1"
    )


def test_the_arguments_of_a_case_survive_an_answer_that_overwrites_them():
    case = Case("case", (X,), X - 2)
    reason(overwrites, case)
    np.testing.assert_array_equal(X, [1, 2])


def test_arrays_inside_of_lists_are_compared_as_well():
    parameters = [(np.array([1.0, 2.0]), np.zeros(1))]
    case = Case("case", (parameters,), [0.0])
    assert reason(lambda layers: layers[0][1], case) is None
    assert reason(lambda layers: overwrites(layers[0][0])[1:], case) == "the argument was changed"


@pytest.mark.parametrize(
    "right",
    [
        np.array([1, 2]),
        [1, 2],
        (1.0, 2),
        [np.float64(1), np.array(2.0)],
        np.array([1.0, 2.0]).view(np.recarray),
        np.ma.array([1.0, 2.0]),
        np.longdouble([1, 2]),
        [Fraction(1), Decimal(2)],
    ],
)
def test_integers_lists_tuples_and_other_arrays_are_accepted(right):
    assert reason(lambda x: right, Case("case", (X,), X)) is None


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, np.int8(0), np.array(0), np.array(0.0)])
def test_every_zero_is_accepted_where_a_number_is_asked(zero):
    assert reason(lambda x: zero, Case("case", (X,), 0.0)) is None


def test_the_format_that_was_asked_for_decides():
    case = Case("case", (X,), X / 3)
    short = "float64 was asked for, this is float16"
    assert reason(lambda x: np.float16(x / 3), case) == short
    assert reason(lambda x: list(np.float16(x / 3)), case) == (
        "float64 was asked for, this is a list of float16"
    )
    assert reason(lambda x: np.float32(x), Case("case", (X,), X))
    single = Case("case", (np.float32(X),), np.float32(X) / np.float32(3))
    report = check_cases(lambda x: x.astype(float) / 3, [single])
    assert report and "(float32 was asked for, this is float64)" in str(report)
    wrong = reason(lambda x: x.astype(float) / 3 + 1e-5, single)
    assert wrong == "got 0.333343 at (0,), expected 0.333333 (335 ulp)"


@pytest.mark.parametrize(
    ("result", "name"), [(1.0, "a Python float"), (np.float64(1), "float64"), (1, "a Python int")]
)
def test_a_dtype_that_must_be_kept_is_asked_for(result, name):
    case = Case("case", (X,), np.float32(1), longer_allowed=False)
    assert reason(lambda x: result, case) == f"float32 was asked for, this is {name}"
    assert reason(lambda x: np.float32(1), case) is None


def test_two_formats_of_16_bits_do_not_stand_in_for_each_other():
    case = Case("case", (X,), np.float16(X))
    assert reason(lambda x: x.astype(BF16.dtype), case) == (
        "float16 was asked for, this is bfloat16"
    )


class Evil:
    """Raises wherever it is looked at."""

    def _raise(self, *_, **__):
        raise SystemExit("evil")

    __array__ = __eq__ = __bool__ = __float__ = __len__ = __iter__ = __repr__ = __str__ = _raise
    __hash__ = None


class Liar:
    """Claims to be an array of the right shape, and to have any attribute."""

    shape, dtype = (2,), np.dtype(float)

    def __getattr__(self, name):
        return lambda *_, **__: self


class EvilError(Exception):
    def __str__(self):
        raise ValueError("no text")


def endless(x):
    return endless(x)


def exits(error):
    def answer(x):
        raise error

    return answer


def turns_warnings_into_errors(x):
    np.seterr(all="raise")
    warnings.simplefilter("error")
    return np.exp(1e4 * x)


def evil_argument(x):
    x.append(Evil())
    return x


ANYTHING = [
    *(None, "text", b"bytes", {}, set(), object(), Evil(), Liar(), [Evil()], [[1, 2], [3]], ...),
    *((i for i in [1, 2]), np.array(["a", "b"]), np.array([1j, 2]), np.array([True, False])),
    *(np.array([None, 1.0]), np.ma.array([1.0, 2.0], mask=[0, 1]), np.zeros((1, 2))),
    *(np.array("2020-01-01", dtype="M8[D]"), np.zeros(0), np.zeros((2, 2, 2)), type, print),
    *(float("nan"), 10**400, [10**400, 1], "x" * 100_000, "two\nlines", "\ud800", Report),
]


@pytest.mark.parametrize("expected", [X, np.float64(1), "a", True, None, ValueError])
@pytest.mark.parametrize("result", ANYTHING, ids=lambda r: type(r).__name__)
def test_any_result_leads_to_a_line_of_the_table(result, expected, capsys):
    report = check_cases(lambda x: result, [Case("case", (X,), expected)])
    assert report.reasons["case"] is not None or (result is None and expected is None)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 2 + has_own_line(report.reasons["case"], "case")
    assert len(printed) < 700
    printed.encode()


@pytest.mark.parametrize(
    "answer",
    [
        *(exits(e) for e in (StopIteration(), SystemExit(1), GeneratorExit(), EvilError("x"))),
        *(exits(e) for e in (MemoryError(), RecursionError("deep"), BaseException("base"))),
        *(exits(e) for e in (ValueError("many\nlines " * 1000), KeyError("\ud800"), Warning())),
        *(endless, turns_warnings_into_errors, exits(UnicodeDecodeError("utf8", b"", 0, 1, "x"))),
        *(lambda: 1, lambda a, b: 1, int, "".join),
    ],
)
def test_any_exception_leads_to_a_line_and_the_next_case_runs(answer, capsys):
    cases = [Case("one", (X,), X), Case("two", (X,), X)]
    report = check_cases(answer, cases)
    assert report.score == (0, 2)
    assert all(reason.startswith("raised ") for reason in report.reasons.values())
    printed = capsys.readouterr().out
    own = sum(has_own_line(reason, "one") for reason in report.reasons.values())
    assert len(printed.splitlines()) == 3 + own
    printed.encode()
    assert np.geterr()["over"] == "warn"


def test_an_argument_that_was_changed_into_something_evil_is_reported():
    assert "the argument was changed" in reason(evil_argument, Case("case", ([1.0],), [1.0]))
    assert "the argument was changed" in reason(
        lambda x: x.setfield(1.0, float), Case("case", (X,), None)
    )


def test_a_function_without_a_name_gets_one():
    class Nameless:
        @property
        def __name__(self):
            raise OSError

        def __call__(self, x):
            return x

    assert check_cases(Nameless(), [Case("case", (X,), X)]).title == "your answer"
    assert not checks.check_stable_sigmoid(Nameless())


def test_an_interrupt_stops_the_run_after_the_table(capsys):
    def stopped(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_cases(stopped, CASES)
    assert "FAIL  the other cases  interrupted" in capsys.readouterr().out


def test_tensors_that_keep_a_graph_are_read():
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert reason(lambda x: tensor, Case("case", (X,), X)) is None
    assert reason(lambda x: tensor.bfloat16(), Case("case", (X,), X)) == (
        "float64 was asked for, this is bfloat16"
    )
    assert reason(lambda x: tensor.long(), Case("case", (X,), X)) is None
    assert "complex" in reason(lambda x: tensor * 1j, Case("case", (X,), X))


def test_complex_numbers_are_named_without_a_warning_of_ours(recwarn):
    why = reason(lambda x: x + 1e-20j, Case("case", (X,), X))
    assert why == "complex numbers were returned; take their .real or .imag"
    assert not recwarn.list


def test_the_shapes_of_the_arguments_are_given_where_numpy_raises():
    def product(A, W):
        return W @ A

    why = reason(product, Case("case", (np.ones((6, 10)), np.ones((7, 10))), X))
    assert why.endswith("(shapes: A (6, 10), W (7, 10))")
    why = reason(lambda *given: given[0] @ given[1], Case("case", (np.ones(3), X), X))
    assert why.endswith("(shapes: argument 1 (3,), argument 2 (2,))")


@pytest.mark.parametrize(
    ("dtype", "why"),
    [
        (np.uint8, "in uint8, 0 - 255 wraps around to 1"),
        (np.int8, "in int8, -128 - 127 wraps around to 1"),
    ],
)
def test_integers_that_wrap_around_are_named(dtype, why):
    def shifted(x):
        e = np.exp(x - np.max(x))
        return e / np.sum(e)

    limits = np.iinfo(dtype)
    x = np.array([limits.min, limits.max], dtype=dtype)
    case = Case("case", (x,), softmax_exact(x), dtype="fp32")
    assert f"the same numbers pass in float64: convert them ({why})" in reason(shifted, case)
    assert "wraps" not in reason(lambda x: np.zeros(2), case)
    assert "wraps" not in reason(shifted, Case("case", (np.array([0, 200]),), softmax_exact(x)))


def drawn(rng):
    x = rng.normal(size=3).astype(np.float32)
    return Case("drawn", (x, rng.normal()), x)


def answers_from_a_table(x, scale):
    return {1.0: X}[x[0]]


PRINTED = [Case("printed", (X, 0.5), X)]


def test_a_table_of_the_printed_results_does_not_pass():
    report = check_cases(answers_from_a_table, PRINTED, draw=drawn)
    assert report.score == (1, 3)
    assert report.reasons["printed"] is None
    assert report.reasons["a drawn case"].startswith("raised KeyError")


def test_a_drawn_case_that_fails_can_be_repeated_from_its_message():
    received = []

    def wrong(x, scale):
        received.append((x, scale))
        return x if x.size == 2 else 2 * x

    reasons = check_cases(wrong, PRINTED, draw=drawn).reasons
    call = re.search(r"; this was wrong(\(.*\))$", reasons["a drawn case"])[1]
    x, scale = eval(call)
    assert x.dtype == np.float32 and np.array_equal(x, received[1][0])
    assert scale == received[1][1]


def test_drawn_cases_differ_in_every_run_and_print_nothing_if_they_pass(capsys):
    seen = set()

    def right(x, scale):
        seen.add(x.tobytes())
        return x

    for _ in range(3):
        assert check_cases(right, PRINTED, draw=drawn).score == (1, 1)
    assert len(seen) == 7  # the printed one and two others in each run
    assert capsys.readouterr().out == 3 * "right: 1 of 1 checks passed\n  ok    printed\n"


def test_nothing_is_drawn_before_the_printed_cases_pass():
    def draw(rng):
        raise AssertionError

    assert not check_cases(lambda x, scale: None, PRINTED, draw=draw)


MISTAKES = {"this doubles": lambda x: 2 * x, "this squares": lambda x: x**2}
TWO = [Case("one", (X,), X), Case("two", (3 * X,), 3 * X)]


def test_a_known_mistake_that_explains_all_results_is_a_hint(capsys):
    assert check_cases(lambda x: x + x, TWO, mistakes=MISTAKES).hint == "this doubles"
    assert "\n  Hint: this doubles\n" in capsys.readouterr().out
    assert check_cases(lambda x: x * x, TWO, mistakes=MISTAKES).hint == "this squares"


def test_a_mistake_that_explains_some_results_only_is_no_hint():
    report = check_cases(lambda x: x + x if x[0] > 1 else x, TWO, mistakes=MISTAKES)
    assert not report and report.hint is None
    assert check_cases(lambda x: x, TWO, mistakes=MISTAKES).hint is None
    assert check_cases(lambda x: "text", TWO, mistakes=MISTAKES).hint is None
    assert check_cases(lambda x: 1 // 0, TWO, mistakes={"zero": lambda x: 1 // 0}).hint is None


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


CHECKS = sorted(n for n in vars(checks) if n.startswith("check_") and n != "check_cases")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("result", [None, Evil(), [[1], [2, 3]], (1, 2), (Evil(), Evil()), 10**400])
def test_no_check_breaks_on_a_strange_answer(name, result):
    report = getattr(checks, name)(lambda *arguments: result)
    assert not report
    assert not any("AttributeError" in (why or "") for why in report.reasons.values())


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_draws_cases_and_knows_mistakes(name, monkeypatch):
    options = {}
    module = importlib.import_module(getattr(checks, name).__module__)
    monkeypatch.setattr(module, "check_cases", lambda *given, **named: options.update(named))
    getattr(checks, name)(print)
    rng = np.random.default_rng(0)
    first, second = options["draw"](rng), options["draw"](rng)
    assert repr(first.arguments) != repr(second.arguments)


@pytest.mark.parametrize("page", CHAPTERS)
def test_the_table_under_an_exercise_shows_failures_and_gives_no_solution_away(page, capsys):
    cells = [c for c in jupytext.read(ROOT / f"{page}.md").cells if c.cell_type == "code"]
    namespace = {}
    if "import torch" in cells[0].source:
        pytest.importorskip("torch")
    exec(cells[0].source, namespace)
    for cell in (c for c in cells if "exercise" in c.metadata.get("tags", [])):
        capsys.readouterr()
        exec(cell.source, namespace)
        table = capsys.readouterr().out
        assert "FAIL" in table
        assert "Hint" not in table, "a mistake of this check is the starter"


def test_an_array_that_does_not_fit_the_memory_is_not_read(capsys):
    endless = np.broadcast_to(1.0, (10**6, 10**6))  # a view of one number
    assert not check_cases(lambda x: endless, [Case("one", (np.ones(2),), np.ones(2))])
    assert "an array of shape (1000000, 1000000) was returned" in capsys.readouterr().out
