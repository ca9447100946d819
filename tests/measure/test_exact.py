import ml_dtypes
import mpmath
import numpy as np
import pytest

from stable_softmax import (
    E4M3,
    FP16,
    FP32,
    FP64,
    TF32,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    entropy_exact,
    exp_exact,
    hessian_vector_product_exact,
    kl_divergence_exact,
    log1mexp_exact,
    log_softmax_exact,
    logsumexp_exact,
    softmax_exact,
    ulp,
    ulp_error,
)
from stable_softmax.floating_point import round_integer
from stable_softmax.measure import balls, exact
from stable_softmax.measure.exact import _row
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN

DIGITS = 60


def families():
    """Rows that differ in what makes them hard; each is exact in float16 after rounding."""
    rng = np.random.default_rng(0)
    return {
        "ordinary": rng.normal(size=(8, 7)),
        "wide": rng.normal(scale=300, size=(8, 7)),
        "sure": np.pad(rng.normal(size=(8, 6)), ((0, 0), (1, 0)), constant_values=40),
        "offset": 1e4 + rng.normal(size=(8, 7)),
        "equal": np.full((2, 7), -np.log(7)),
        "subnormal results": np.linspace([0] * 8, [-745] * 8, 7).T - rng.random((8, 1)),
    }


def in_mpmath(rows, function):
    with mpmath.workdps(DIGITS):
        return [function([mpmath.mpf(float(v)) for v in row]) for row in rows]


def mp_softmax(row):
    m = max(row)
    e = [mpmath.exp(v - m) for v in row]
    return [v / sum(e) for v in e]


def mp_log_softmax(row):
    top = row.index(max(row))
    rest = sum(mpmath.exp(v - row[top]) for i, v in enumerate(row) if i != top)
    return [v - row[top] - mpmath.log1p(rest) for v in row]


def mp_logsumexp(row):
    return [max(row) - mp_log_softmax(row)[row.index(max(row))]]


def half_an_ulp_away(values, exact, fmt):
    """Assert that each value is the exact one, rounded: within half an ulp, a tie being a miss."""
    for value, want in zip(np.ravel(values).tolist(), exact, strict=True):
        with mpmath.workdps(DIGITS):
            if abs(want) > fmt.largest:
                assert np.isinf(value)
                continue
            assert abs(mpmath.mpf(value) - want) <= mpmath.mpf(float(ulp(value, fmt))) / 2


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (softmax_exact, mp_softmax),
        (log_softmax_exact, mp_log_softmax),
        (logsumexp_exact, mp_logsumexp),
    ],
)
def test_the_reference_agrees_with_mpmath_at_60_digits(ours, theirs, family, fmt):
    x = families()[family].astype(fmt.dtype)
    exact = [v for row in in_mpmath(x.astype(np.float64), theirs) for v in row]
    half_an_ulp_away(ours(x).astype(np.float64), exact, fmt)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_exp_agrees_with_mpmath_on_the_whole_range(fmt):
    low, high = fmt.exp_range[2] * 1.1, fmt.exp_range[0]
    x = np.linspace(low, high, 200).astype(fmt.dtype).astype(np.float64)
    x = x[x < high]
    with mpmath.workdps(DIGITS):
        exact = [mpmath.exp(mpmath.mpf(v)) for v in x.tolist()]
    half_an_ulp_away(exp_exact(x, fmt).astype(np.float64), exact, fmt)


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_log1mexp_agrees_with_mpmath_on_the_whole_range(fmt):
    sizes = np.geomspace(fmt.smallest_normal, -1.1 * fmt.exp_range[2], 200)
    x = -sizes.astype(fmt.dtype).astype(np.float64)
    with mpmath.workdps(700):  # 1 - exp(-1e-308) needs 308 digits, and as many for its inverse
        exact = [mpmath.log(-mpmath.expm1(mpmath.mpf(v))) for v in x.tolist()]
    half_an_ulp_away(log1mexp_exact(x, fmt).astype(np.float64), exact, fmt)


def test_log1mexp_of_numbers_that_are_no_logarithm_of_a_probability():
    x = [0.0, -INF, NAN, 1.0, INF, -1e300]
    np.testing.assert_array_equal(log1mexp_exact(x), [-INF, 0, NAN, NAN, NAN, 0])


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_rounding_agrees_with_the_library_on_numbers_halves_and_neighbors(fmt):
    rng = np.random.default_rng(0)
    low, high = np.log2(fmt.smallest_subnormal) - 3, fmt.max_exponent
    mantissas = rng.integers(1, 1 << min(fmt.precision + 3, 53), 2000)
    exponents = rng.integers(low - 53, high - fmt.precision + 1, 2000)
    exact = [(int(m), int(e)) for m, e in zip(mantissas, exponents, strict=True)]
    values = np.array([np.ldexp(float(m), e) for m, e in exact])
    representable = [np.ldexp(float(m), e) != 0 for m, e in exact]
    ours = np.array([round_integer(m, e, fmt) for m, e in exact])
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = values.astype(fmt.dtype).astype(np.float64)
    if fmt is not FP64:  # converting to float64 first would round twice
        np.testing.assert_array_equal(ours[representable], theirs[representable])
    np.testing.assert_array_equal(round_integer(-5, -1, fmt), -2.5)


def test_ties_go_to_even():
    assert round_integer(2**11 + 1, 0, FP16) == 2**11
    assert round_integer(2**11 + 3, 0, FP16) == 2**11 + 4
    assert round_integer(1, -25, FP16) == 0.0
    assert round_integer(3, -25, FP16) == 2.0**-23
    assert round_integer(1, -1075, FP64) == 0.0


def test_overflow_starts_half_an_ulp_above_the_largest_number():
    assert round_integer(65519, 0, FP16) == 65504
    assert round_integer(65520, 0, FP16) == INF
    assert round_integer(-(2**1024), 0, FP64) == -INF


def test_exact_ties_and_zeros_are_decided():
    # 1/1024 lies half way between 0 and the smallest e4m3 number: ties go to the even 0
    assert not np.any(softmax_exact(np.zeros(1024), dtype="e4m3").astype(float))
    assert logsumexp_exact([0.0]) == 0.0
    np.testing.assert_array_equal(log_softmax_exact([7.0]), [0.0])


def test_near_cancellation_keeps_every_digit():
    # log(2 exp(-log 2 + d)) with d the rounding error of log 2 in float64
    x = np.full(2, -np.log(2.0))
    with mpmath.workdps(DIGITS):
        exact = mpmath.mpf(x[0].item()) + mpmath.log(2)
    assert float(logsumexp_exact(x)) == float(exact)


TABLE = [  # row, softmax, log-softmax, log-sum-exp
    ([0.0, -INF], [1, 0], [0, -INF], 0),
    ([INF, 0.0], [NAN, NAN], [NAN, NAN], INF),
    ([INF, INF], [NAN, NAN], [NAN, NAN], INF),
    ([INF, -INF], [NAN, NAN], [NAN, NAN], INF),
    ([-INF, -INF], [NAN, NAN], [NAN, NAN], -INF),
    ([NAN, 0.0], [NAN, NAN], [NAN, NAN], NAN),
    ([NAN, INF], [NAN, NAN], [NAN, NAN], NAN),
    ([NAN, -INF], [NAN, NAN], [NAN, NAN], NAN),
    ([5.0], [1], [0], 5),
    ([-INF], [NAN], [NAN], -INF),
]


@pytest.mark.parametrize(("row", "p", "log_p", "lse"), TABLE)
def test_special_rows(row, p, log_p, lse):
    np.testing.assert_array_equal(softmax_exact(row), p)
    np.testing.assert_array_equal(log_softmax_exact(row), log_p)
    np.testing.assert_array_equal(logsumexp_exact(row), lse)


def test_special_rows_of_exp():
    np.testing.assert_array_equal(exp_exact([INF, -INF, NAN, 1e300]), [INF, 0, NAN, INF])
    assert np.isnan(exp_exact([INF, 7.0], "e4m3").astype(float)).all()


def test_a_masked_class_leaves_the_loss_and_the_gradient_of_the_others():
    x = [[1.0, -INF, 2.0]]
    np.testing.assert_array_equal(cross_entropy_exact(x, [1]), [INF])
    gradient = cross_entropy_gradient_exact(x, [1])[0]
    assert gradient[1] == -1.0 and gradient[[0, 2]].sum() == pytest.approx(1.0, abs=2.0**-52)


@pytest.mark.parametrize("masked", [False, True])
def test_the_loss_rounds_one_number_a_sample(masked, monkeypatch):
    x, labels, balls_rounded = np.arange(12.0).reshape(3, 4), [0, 3, 2], []
    if masked:
        x[:, 1] = -INF
    expected = -log_softmax_exact(x)[range(3), labels]

    def rounded(ball, fmt):
        balls_rounded.append(ball)
        return balls.round_ball(ball, fmt)

    monkeypatch.setattr(exact, "round_ball", rounded)
    np.testing.assert_array_equal(cross_entropy_exact(x, labels), expected)
    assert len(balls_rounded) == 3


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_loss_and_gradient_agree_with_mpmath(fmt):
    x = np.concatenate([families()["ordinary"], families()["sure"]]).astype(fmt.dtype)
    labels = np.arange(16) % 7
    labels[8:12] = 0
    rows = x.astype(np.float64)
    log_p, p = in_mpmath(rows, mp_log_softmax), in_mpmath(rows, mp_softmax)
    losses = [-row[y] for row, y in zip(log_p, labels, strict=True)]
    half_an_ulp_away(cross_entropy_exact(x, labels).astype(np.float64), losses, fmt)
    with mpmath.workdps(DIGITS):
        gradient = [
            -sum(v for j, v in enumerate(row) if j != y) if i == y else row[i]
            for row, y in zip(p, labels, strict=True)
            for i in range(7)
        ]
    half_an_ulp_away(cross_entropy_gradient_exact(x, labels).astype(np.float64), gradient, fmt)


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None])
def test_axes_have_the_meaning_of_numpy(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    sums = softmax_exact(x, axis=axis).sum(axis=axis)
    np.testing.assert_allclose(sums, 1, atol=24 * FP64.unit_roundoff)  # 24 roundings at most
    assert logsumexp_exact(x, axis=axis).shape == np.sum(x, axis=axis).shape
    p = np.exp(x - logsumexp_exact(x, axis=axis).reshape(np.sum(x, axis=axis, keepdims=True).shape))
    # exp(x - lse) is within a few u of p for logits of size one
    np.testing.assert_allclose(p, softmax_exact(x, axis=axis), rtol=16 * FP64.unit_roundoff)


def test_the_result_has_the_format_that_is_asked_for():
    assert softmax_exact([1, 2]).dtype == np.float64
    assert softmax_exact(np.float32([1, 2])).dtype == np.float32
    assert softmax_exact(np.float32([1, 2]), dtype=FP64).dtype == np.float64
    assert softmax_exact([1.0, 2.0], dtype=ml_dtypes.bfloat16).dtype == ml_dtypes.bfloat16
    tf32 = softmax_exact([1.0, 2.0], dtype=TF32)
    assert tf32.dtype == np.float32
    assert np.all(ulp_error(tf32, softmax_exact([1.0, 2.0]), TF32) <= 0.5)


def test_a_tensor_leaves_its_graph_and_is_not_changed():
    torch = pytest.importorskip("torch")
    x = torch.tensor([1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    p = softmax_exact(x)
    assert isinstance(p, np.ndarray) and p.dtype == ml_dtypes.bfloat16
    assert x.tolist() == [1.0, 2.0]


def test_empty_batches_give_empty_results():
    assert softmax_exact(np.zeros((0, 3))).shape == (0, 3)
    assert logsumexp_exact(np.zeros((0, 3), np.float32)).shape == (0,)
    assert cross_entropy_exact(np.zeros((0, 3)), []).shape == (0,)


def test_a_rounding_that_precision_cannot_decide_is_an_error_not_a_guess():
    from flint import arb

    def straddles_one_half_ulp(row):
        return [arb(1 + 2.0**-24, 1e-300)]  # a tie of float32, and never an exact one

    with pytest.raises(ArithmeticError, match="do not decide the rounding"):
        _row(straddles_one_half_ulp, [0.0], FP32, None)


def test_the_gradient_keeps_the_argument():
    x = np.array([[40.0, 0.0]])
    cross_entropy_gradient_exact(x, [0])
    np.testing.assert_array_equal(x, [[40.0, 0.0]])


@pytest.mark.parametrize(
    ("row", "below", "fmt"),
    [([2.0**52, -0.5], -(2.0**52) - 1, FP64), ([1.0, -(2.0**24) - 2], -(2.0**24) - 4, FP32)],
)
def test_a_tie_is_decided_by_a_term_of_millions_of_bits(row, below, fmt):
    # x - m is the middle of two numbers; exp(x - m), some 2**-20000000, moves log p below it
    np.testing.assert_array_equal(log_softmax_exact(row, dtype=fmt), [0, below])
    assert cross_entropy_exact(row, 1, dtype=fmt) == -below
    assert logsumexp_exact(row) == row[0]


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_the_exact_loss_has_the_format_of_the_logits(fmt):
    loss = cross_entropy_exact(np.zeros((2, 3), fmt.dtype), [0, 1])
    assert loss.dtype == fmt.dtype
    sure = cross_entropy_exact(np.array([[0.0, -np.inf]], fmt.dtype), [0]).astype(float)
    assert not np.signbit(sure).any() or fmt is E4M3  # which has no infinity


# Entropy and divergence


def mp_entropy(row):
    return [-sum(p * log_p for p, log_p in zip(mp_softmax(row), mp_log_softmax(row), strict=True))]


def mp_kl(x, y):
    pairs = zip(mp_softmax(x), mp_log_softmax(x), mp_log_softmax(y), strict=True)
    return sum(p * (log_p - log_q) for p, log_p, log_q in pairs)


def mp_hessian_vector_product(row, vector):
    p = mp_softmax(row)
    return [
        p_i * sum(p_j * (v_i - v_j) for p_j, v_j in zip(p, vector, strict=True))
        for p_i, v_i in zip(p, vector, strict=True)
    ]


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("family", families())
def test_the_entropy_agrees_with_mpmath(family, fmt):
    x = families()[family].astype(fmt.dtype)
    exact = [v for row in in_mpmath(x.astype(np.float64), mp_entropy) for v in row]
    half_an_ulp_away(entropy_exact(x).astype(np.float64), exact, fmt)


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("apart", [2.0**-3, 1.0, 30.0])
def test_the_divergence_agrees_with_mpmath(apart, fmt):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 7)).astype(fmt.dtype)
    y = (x.astype(np.float64) + apart * rng.normal(size=x.shape)).astype(fmt.dtype)
    with mpmath.workdps(DIGITS):
        rows = [[[mpmath.mpf(float(v)) for v in row] for row in z] for z in (x, y)]
        exact = [mp_kl(*pair) for pair in zip(*rows, strict=True)]
    half_an_ulp_away(kl_divergence_exact(x, y).astype(np.float64), exact, fmt)


@pytest.mark.parametrize("apart", [1e-4, 1e-8, 1e-12])
def test_a_divergence_of_close_rows_agrees_with_mpmath(apart):
    # of about apart**2 / 2: 60 digits less 24
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 7))
    y = x + apart * rng.normal(size=x.shape)
    with mpmath.workdps(DIGITS):
        rows = [[[mpmath.mpf(float(v)) for v in row] for row in z] for z in (x, y)]
        exact = [mp_kl(*pair) for pair in zip(*rows, strict=True)]
    half_an_ulp_away(kl_divergence_exact(x, y), exact, FP64)
    assert np.all(kl_divergence_exact(x, y) > 0)


@pytest.mark.parametrize(
    ("row", "entropy"),
    [
        ([0.0, -INF], 0),
        ([0.0, 0.0, -INF], np.log(2.0)),
        ([-INF, 5.0, -INF], 0),
        ([INF, 0.0], NAN),
        ([-INF, -INF], NAN),
        ([NAN, 0.0], NAN),
        ([NAN, -INF], NAN),
        ([5.0], 0),
        ([0.0, -1e300], 0),
    ],
)
def test_special_rows_of_the_entropy(row, entropy):
    np.testing.assert_array_equal(entropy_exact(row), entropy)


@pytest.mark.parametrize(
    ("x", "y", "divergence"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.0], [1001.0, 1002.0], 0),  # a common offset
        ([5.0], [7.0], 0),
        ([0.0, -INF], [0.0, -INF], 0),
        ([0.0, -INF], [0.0, 0.0], np.log(2.0)),  # q has a class that p has not
        ([0.0, 0.0], [0.0, -INF], INF),  # p has a class that q has not
        ([0.0, -200.0], [-200.0, 0.0], 200),
        ([0.0, -1e300], [0.0, -1e299], 0),
        ([-INF, -INF], [0.0, 0.0], NAN),
        ([0.0, 0.0], [-INF, -INF], NAN),
        ([INF, 0.0], [0.0, 0.0], NAN),
        ([0.0, 0.0], [INF, 0.0], NAN),
        ([NAN, 0.0], [0.0, -INF], NAN),
        ([0.0, 0.0], [NAN, 0.0], NAN),
    ],
)
def test_special_rows_of_the_divergence(x, y, divergence):
    np.testing.assert_array_equal(kl_divergence_exact(x, y), divergence)


def test_a_divergence_beyond_the_format():
    far = kl_divergence_exact([0.0, -1e5], [-1e5, 0.0], dtype=FP16)
    assert far == INF and far.dtype == np.float16
    assert np.isnan(kl_divergence_exact([0.0, 0.0], [0.0, -INF], dtype=E4M3).astype(float))
    assert kl_divergence_exact([0.0, 2.0**-30], [0.0, 0.0], dtype=FP16) == 0


def test_entropy_and_divergence_along_any_axes():
    x, y = np.random.default_rng(0).normal(size=(2, 2, 3, 4))
    for axis in (0, -1, (0, 2), None):
        assert entropy_exact(x, axis).shape == np.sum(x, axis=axis).shape
        assert kl_divergence_exact(x, y, axis).shape == np.sum(x, axis=axis).shape
    assert kl_divergence_exact(x, y, 1)[1, 2] == kl_divergence_exact(x[1, :, 2], y[1, :, 2])
    assert kl_divergence_exact(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    with pytest.raises(ValueError, match="x and y must have one shape"):
        kl_divergence_exact(x, y[0])


def test_a_tie_that_no_precision_decides_is_an_error_not_a_guess():
    # log q is -(2**24 + 1) - exp(-2**24 - 1), in float32 the middle of two numbers and a tail
    with pytest.raises(ArithmeticError, match="do not decide the rounding"):
        kl_divergence_exact([0.0, -(2.0**25)], [-(2.0**24) - 1, 0.0], dtype=FP32)


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("family", families())
def test_the_product_with_the_hessian_agrees_with_mpmath(family, fmt):
    x = families()[family].astype(fmt.dtype)
    v = np.random.default_rng(1).integers(-8, 9, x.shape)
    with mpmath.workdps(700):  # sums of terms of which one may be 1e-308 and the others cancel
        exact = [
            value
            for row, vector in zip(x.astype(np.float64).tolist(), v.tolist(), strict=True)
            for value in mp_hessian_vector_product(list(map(mpmath.mpf, row)), vector)
        ]
    half_an_ulp_away(hessian_vector_product_exact(x, v).astype(np.float64), exact, fmt)


def test_zeros_of_the_product_with_the_hessian_are_decided():
    got = hessian_vector_product_exact([0, 0, 0, -1e5], [1, -1, 0, 0])
    third = hessian_vector_product_exact([0, 0, 0], [1, -1, 0])
    np.testing.assert_array_equal(got, [*third, 0])
    np.testing.assert_array_equal(third, [1 / 3, -1 / 3, 0])
    np.testing.assert_array_equal(hessian_vector_product_exact([1.0, 2, 3], [0.1, 0.1, 0.1]), 0)


def mp_weighted(row, weights):
    return mpmath.log(sum(w * mpmath.exp(v) for v, w in zip(row, weights, strict=True)))


WEIGHTS = {
    "positive": [0.5, 2, 1, 3, 0.25, 1, 1],
    "some zero": [0, 2, 0, 1, 1, 0, 3],
    "of both signs": [64, -1, 1, -2, 1, -1, 1],
    "tiny and huge": [2.0**-40, 2.0**40, 1, 1, 1, 1, 1],
}


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_weighted_log_sum_exp_agrees_with_mpmath(name, family, fmt):
    x, w = families()[family].astype(fmt.dtype), np.array(WEIGHTS[name])
    lse = logsumexp_exact(x, weights=w).astype(np.float64)
    with mpmath.workdps(1500):  # logits of 1e4 and more
        rows = x.astype(np.float64).tolist()
        exact = [mp_weighted(list(map(mpmath.mpf, row)), w.tolist()) for row in rows]
    positive = [not isinstance(v, mpmath.mpc) for v in exact]
    np.testing.assert_array_equal(np.isnan(lse), np.logical_not(positive))
    half_an_ulp_away(lse[positive], [v for v in exact if not isinstance(v, mpmath.mpc)], fmt)


def test_weights_of_one_are_no_weights():
    for rows in families().values():
        ones = logsumexp_exact(rows, weights=np.ones(7))
        np.testing.assert_array_equal(ones, logsumexp_exact(rows))
        np.testing.assert_array_equal(logsumexp_exact(rows, weights=True), ones)


TINY = 2.0**-52
WEIGHTED = [  # row, weights, log-sum-exp
    ([0.0, 0.0], [1, -1], -INF),
    ([5.0, 5.0, 0.0], [1, -1, 1], 0),
    ([5.0, 5.0, 0.0, -INF], [0.1, -0.1, 1, 7], 0),
    ([0.0, 1.0], [0, 0], -INF),
    ([0.0, 1.0], [-1, -1], NAN),
    ([INF, 0.0], [0, 1], 0),
    ([NAN, 0.0], [0, 1], 0),
    ([NAN, 0.0], [1, 1], NAN),
    ([INF, 0.0], [2, -1], INF),
    ([INF, 0.0], [-2, 1], NAN),
    ([INF, INF], [1, -1], NAN),
    ([-INF, -INF], [1, -1], -INF),
    ([0.0, -1e5], [1, -1], 0),  # rounded from below
    ([1.0, -1e9], [1, -1], 1),
    ([0.0, -1e5], [-1, 1], NAN),
    ([TINY, 0.0], [1, -1], np.log(TINY) + TINY / 2),
]


@pytest.mark.parametrize(("row", "weights", "want"), WEIGHTED)
def test_special_rows_of_a_weighted_log_sum_exp(row, weights, want):
    np.testing.assert_array_equal(logsumexp_exact(row, weights=weights), want)


@pytest.mark.parametrize(("sign", "neighbor"), [(1, 1 + 2.0**-23), (-1, 1)])
def test_a_tie_is_decided_by_a_weighted_tail_that_no_precision_reaches(sign, neighbor):
    middle = 1 + 2.0**-24  # between two numbers of float32
    got = logsumexp_exact([middle, -1e9], dtype=FP32, weights=[1, sign])
    assert got == np.float32(neighbor)


def test_weights_are_broadcast_and_taken_exactly():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    w = np.array([[1.0], [2], [3]])
    whole = logsumexp_exact(x, axis=(1, 2), weights=w)
    by_hand = logsumexp_exact(x, axis=(1, 2), weights=np.broadcast_to(w, x.shape))
    np.testing.assert_array_equal(whole, by_hand)
    # in float64 these weights would both be 2**53, and cancel
    assert logsumexp_exact([0, 0], weights=[2**53 + 1, -(2**53)]) == 0
    with pytest.raises(ValueError, match=r"weights has shape \(3,\), which does not broadcast"):
        logsumexp_exact(x, weights=[1, 2, 3])
    with pytest.raises(ValueError, match="weights must be finite"):
        logsumexp_exact(x, weights=INF)
    with pytest.raises(TypeError, match="weights must hold real numbers"):
        logsumexp_exact(x, weights=1j)
