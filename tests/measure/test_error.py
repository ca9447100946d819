import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP16,
    FP32,
    FP64,
    absolute_error,
    accurate_digits,
    central_difference,
    logsumexp_bound_naive,
    logsumexp_bound_shifted,
    logsumexp_exact,
    logsumexp_naive,
    logsumexp_shifted,
    relative_error,
    softmax_bound_division_free,
    softmax_bound_naive,
    softmax_bound_shifted,
    softmax_exact,
    softmax_from_logsumexp,
    softmax_naive,
    softmax_shifted,
    ulp_error,
)
from tests.cases import INF, NAN

TINY = FP64.smallest_subnormal

SPECIAL = [  # computed, reference, error in ulp, relative error, absolute error
    (1.0, 1.0, 0, 0, 0),
    (0.0, -0.0, 0, 0, 0),
    (TINY, 0.0, 1, INF, TINY),
    (-TINY, TINY, 2, 2, 2 * TINY),
    (0.0, TINY, 1, 1, TINY),
    (3 * TINY, TINY, 2, 2, 2 * TINY),
    (INF, INF, 0, 0, 0),
    (-INF, INF, INF, INF, INF),
    (INF, 1.0, INF, INF, INF),
    (1.0, INF, INF, INF, INF),
    (NAN, NAN, 0, 0, 0),
    (NAN, 1.0, NAN, NAN, NAN),
    (1.0, NAN, NAN, NAN, NAN),
    (NAN, INF, NAN, NAN, NAN),
]


@pytest.mark.parametrize(("computed", "reference", "in_ulp", "relative", "absolute"), SPECIAL)
def test_errors_across_zero_subnormals_infinities_and_nan(
    computed, reference, in_ulp, relative, absolute
):
    np.testing.assert_array_equal(ulp_error(computed, reference), in_ulp)
    np.testing.assert_array_equal(relative_error(computed, reference), relative)
    np.testing.assert_array_equal(absolute_error(computed, reference), absolute)


@pytest.mark.parametrize("fmt", [FP64, FP32, FP16], ids=str)
@given(data=st.data())
def test_the_next_number_is_one_ulp_away(fmt, data):
    width = 8 * fmt.dtype.itemsize
    value = data.draw(st.floats(width=width, allow_nan=False, allow_infinity=False))
    value = fmt.dtype.type(value)
    with np.errstate(over="ignore"):
        away = np.nextafter(value, fmt.dtype.type(np.copysign(INF, value)))
    if np.isfinite(away):
        assert ulp_error(away, value) == 1


def test_the_unit_is_that_of_the_computed_format():
    computed = np.float32(1.0)
    assert ulp_error(computed, 1.0 + 2.0**-24) == 0.5
    assert ulp_error(computed, 1.0 + 2.0**-24, dtype="fp64") == 2.0**28


def test_errors_broadcast():
    assert ulp_error([[1.0], [2.0]], [1.0, 2.0, 4.0]).shape == (2, 3)


def test_a_nan_is_never_hidden_by_the_worst_case():
    assert np.isnan(np.max(ulp_error([1.0, NAN], [1.0, 1.0])))


def test_accurate_digits_reach_from_zero_to_those_of_the_format():
    digits = accurate_digits([1.0, 1.001, 5.0, NAN], [1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(digits[:3], [-np.log10(2.0**-53), 3.0, 0.0], atol=1e-6)
    assert np.isnan(digits[3])


def test_central_difference_of_a_cubic_has_error_h_squared():
    x = np.array([1.0, -2.0])
    before = x.copy()
    gradient = central_difference(lambda v: np.sum(v**3), x, 1e-3)
    # f''' / 6 = 1, hence an error of exactly h**2 from the formula; rounding adds u/h, about 1e-13
    np.testing.assert_allclose(gradient - 3 * x**2, 1e-6, atol=1e-11)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("step", [0.0, -1e-3, NAN])
def test_a_step_that_is_not_positive_is_refused(step):
    with pytest.raises(ValueError, match="step must be positive"):
        central_difference(np.sum, [1.0], step)


@pytest.mark.parametrize("n", [2, 10, 100])
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
def test_measured_errors_stay_below_the_bounds(n, scale):
    # norm-wise, as the theorems are; float32, so that float64 values count as exact
    x = (scale * np.random.default_rng(1).random((200, n))).astype(np.float32)
    p, lse = softmax_exact(x, dtype=FP64), logsumexp_exact(x, dtype=FP64)

    def in_u(computed, exact):
        worst = np.abs(computed - exact).max(axis=-1) / np.abs(exact).max(axis=-1)
        return worst / FP32.unit_roundoff

    spread = (x.max(axis=-1) - x.min(axis=-1)).astype(np.float64)
    deviation = np.abs(x - lse[:, None]).max(axis=-1)
    assert np.all(in_u(softmax_naive(x), p) <= softmax_bound_naive(n))
    assert np.all(in_u(softmax_shifted(x), p) <= softmax_bound_shifted(n, spread))
    bound = softmax_bound_division_free(n, lse, deviation)
    assert np.all(in_u(softmax_from_logsumexp(x), p) <= bound)
    naive, shifted = logsumexp_naive(x), logsumexp_shifted(x)
    minimum = x.min(axis=-1).astype(np.float64)
    assert np.all(in_u(naive[:, None], lse[:, None]) <= logsumexp_bound_naive(n, lse))
    assert np.all(in_u(shifted[:, None], lse[:, None]) <= logsumexp_bound_shifted(n, lse, minimum))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_million_short_rows_stay_below_the_bounds_for_the_exp_of_this_machine(n):
    # expert review, W2: in float32, naive errs by 5.58 u for n = 2, where n + 3 is 5
    x = np.random.default_rng(0).uniform(-1, 1, (1_000_000, n)).astype(np.float32)
    x *= np.resize(np.float32([1, 10, 40]), (1_000_000, 1))
    wide = x.astype(np.float64)
    z, spread = x - x.max(axis=-1, keepdims=True), np.ptp(wide, axis=-1, keepdims=True)
    both = np.concatenate([x, z])
    alpha = np.max(relative_error(np.exp(both), np.exp(both.astype(np.float64))))
    alpha = max(1.0, alpha / FP32.unit_roundoff)
    p = softmax_shifted(wide)  # float64, whose error is 2**-29 of that of float32
    u = FP32.unit_roundoff
    naive = relative_error(softmax_naive(x), p) / u
    assert np.max(naive) <= softmax_bound_naive(n, alpha)
    normal = softmax_shifted(x) >= FP32.smallest_normal
    shifted = np.where(normal, relative_error(softmax_shifted(x), p), 0) / u
    assert np.all(shifted <= softmax_bound_shifted(n, spread, alpha))
    lse = logsumexp_naive(wide)
    assert np.all(
        relative_error(logsumexp_naive(x), lse) / u <= logsumexp_bound_naive(n, lse, alpha)
    )
    bound = logsumexp_bound_shifted(n, lse, wide.min(axis=-1), alpha)
    assert np.all(relative_error(logsumexp_shifted(x), lse) / u <= bound)


def test_the_bounds_are_those_of_the_paper_for_an_exp_that_is_correctly_rounded():
    np.testing.assert_array_equal(softmax_bound_naive([1, 10]), [4, 13])
    assert softmax_bound_shifted(10, 3.0) == 18
    assert softmax_bound_division_free(10, -2.0, 5.0) == 19
    assert logsumexp_bound_naive(10, -2.0) == 6.5
    assert logsumexp_bound_shifted(10, 2.0, -4.0) == 1 + 16 / 2
    assert logsumexp_bound_naive(10, 0.0) == logsumexp_bound_shifted(10, 0.0, -4.0) == INF


def test_an_error_of_exp_enters_as_often_as_exp_is_met():
    assert softmax_bound_naive(10, exp_error=3) == 17
    assert softmax_bound_shifted(10, 3.0, 3) == 22
    assert softmax_bound_division_free(10, -2.0, 5.0, 3) == 23
    assert logsumexp_bound_naive(10, -2.0, 3) == 7.5
    assert logsumexp_bound_shifted(10, 2.0, -4.0, 3) == 1 + 18 / 2


BOUNDS = {  # each with arguments that it takes
    softmax_bound_naive: (2,),
    softmax_bound_shifted: (2, 1.0),
    softmax_bound_division_free: (2, 1.0, 1.0),
    logsumexp_bound_naive: (2, 1.0),
    logsumexp_bound_shifted: (2, 1.0, 0.0),
}


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda f: f.__name__)
def test_arguments_of_the_bounds_are_checked(bound):
    _, *rest = BOUNDS[bound]
    for n in (0, -1, 2.5, NAN):
        with pytest.raises(ValueError, match="n must be a number of classes"):
            bound(n, *rest)
    for place in range(len(rest) + 1):
        for wrong in (None, "a", 1j):
            arguments = [2, *rest]
            arguments[place] = wrong
            with pytest.raises(TypeError, match="must hold real numbers, not"):
                bound(*arguments)
    with pytest.raises(ValueError, match="exp_error must not be negative"):
        bound(2, *rest, exp_error=-1)


@pytest.mark.parametrize(
    ("bound", "name"),
    [(softmax_bound_shifted, "spread"), (softmax_bound_division_free, "deviation")],
)
def test_a_distance_is_not_negative(bound, name):
    *arguments, _ = BOUNDS[bound]
    with pytest.raises(ValueError, match=f"{name} must not be negative, but holds -1"):
        bound(*arguments, [1.0, -1.0])


MEASURES = [ulp_error, relative_error, absolute_error, accurate_digits]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("wrong", [None, "1.0", 1j, [None, 1.0], ["a"], {}], ids=repr)
def test_what_is_no_number_has_no_error(measure, wrong):
    with pytest.raises(TypeError, match="computed must hold real numbers, not"):
        measure(wrong, 1.0)
    with pytest.raises(TypeError, match="reference must hold real numbers, not"):
        measure(1.0, wrong)


@pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)
def test_shapes_that_do_not_fit_are_named(measure):
    with pytest.raises(ValueError, match=r"computed has shape \(2,\), reference has shape \(3,\)"):
        measure([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="reference must be a rectangular array"):
        measure([1.0, 2.0], [[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("measure", MEASURES, ids=lambda f: f.__name__)
def test_hidden_entries_are_not_counted_but_refused(measure):
    # scipy#3034
    hidden = np.ma.array([1.0, 2.0], mask=[1, 0])
    with pytest.raises(TypeError, match="computed hides entries behind a mask"):
        measure(hidden, [1.0, 2.0])
    with pytest.raises(TypeError, match="reference hides entries behind a mask"):
        measure([1.0, 2.0], hidden)


def test_the_unit_is_a_format_of_the_book():
    for dtype in ("float31", "int32", np.longdouble, 3):
        with pytest.raises(TypeError, match="use one of fp64"):
            ulp_error([1.0], [1.0], dtype=dtype)
    with pytest.raises(TypeError, match="use one of fp64"):
        ulp_error(np.array([1, 2]), [1.0, 2.0])
    with pytest.raises(TypeError, match="use one of fp64"):
        accurate_digits(np.array([1, 2]), [1.0, 2.0])
    with pytest.raises(TypeError, match="remainder must hold real numbers"):
        ulp_error([1.0], [1.0], remainder="a")


def test_large_integers_are_compared_exactly():
    big = np.array([2**53 + 1, 2**53])
    np.testing.assert_array_equal(absolute_error(big, [2**53, 2**53]), [1, 0])
    np.testing.assert_array_equal(relative_error([0], [2**53 + 1]), [1])
    np.testing.assert_array_equal(ulp_error([2.0**53, np.nan], [2**53 + 1, 2**53 + 1]), [0.5, NAN])
    np.testing.assert_array_equal(ulp_error([2**62 - 1], [2**62], dtype="fp64"), [2.0**-10])
    np.testing.assert_array_equal(absolute_error([10**400], [0]), [INF])
    np.testing.assert_array_equal(relative_error([10**400, 10**400], [10**400, INF]), [0, INF])


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="longdouble is float64 here")
def test_a_longer_reference_is_taken_with_all_its_digits():
    third = np.longdouble(1) / 3
    want = float(abs(np.longdouble(np.float64(1 / 3)) - third) * 2.0**54)
    assert ulp_error(1 / 3, third) == pytest.approx(want, rel=1e-15)
    assert 0.1 < want < 0.5
    special = ulp_error([1.0, INF, NAN, INF], np.array([third, np.inf, np.nan, third]))
    np.testing.assert_array_equal(special[1:], [0, 0, INF])


def test_errors_of_tensors_are_those_of_their_numbers():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(ulp_error(x, [1.0, 2.0 + 2.0**-6]), [0, 1])
    np.testing.assert_array_equal(absolute_error([1.0, 2.5], x), [0, 0.5])
    assert accurate_digits(x, [1.0, 2.0])[0] == pytest.approx(-np.log10(2.0**-8))


def test_central_difference_takes_one_number_from_the_function():
    assert central_difference(lambda v: v[:1] ** 2, [1.0], 1e-3) == pytest.approx(2)
    with pytest.raises(ValueError, match=r"f\(x\) must be one number, not an array of shape \(2,"):
        central_difference(lambda v: v, [1.0, 2.0], 1e-3)
    with pytest.raises(TypeError, match=r"f\(x\) must hold real numbers, not"):
        central_difference(lambda v: None, [1.0], 1e-3)
    with pytest.raises(TypeError, match="step must hold real numbers, not"):
        central_difference(np.sum, [1.0], "1e-3")
    with pytest.raises(ValueError, match="step must be positive and finite, not inf"):
        central_difference(np.sum, [1.0], INF)
    with pytest.raises(TypeError, match="x must hold real numbers, not"):
        central_difference(np.sum, ["a"], 1e-3)


@pytest.mark.parametrize(
    ("bound", "arguments"),
    [
        (softmax_bound_naive, {"n": [2, 3], "exp_error": [1, 2, 3]}),
        (softmax_bound_shifted, {"n": [2, 3], "spread": np.ones(3)}),
        (softmax_bound_division_free, {"n": 2, "lse": np.ones(2), "deviation": np.ones(3)}),
        (logsumexp_bound_naive, {"n": [2, 3], "lse": np.ones(3)}),
        (logsumexp_bound_shifted, {"n": 2, "lse": np.ones(2), "minimum": np.ones(3)}),
    ],
)
def test_a_bound_names_the_shapes_that_do_not_broadcast(bound, arguments):
    with pytest.raises(ValueError, match="the shapes do not broadcast: n has shape"):
        bound(**arguments)


def test_a_derivative_is_that_of_a_function():
    with pytest.raises(TypeError, match="f must be a function, not ndarray"):
        central_difference(np.ones(2), 1.0, 1e-6)
