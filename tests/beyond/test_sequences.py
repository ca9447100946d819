import numpy as np
import pytest

from stable_softmax import BF16, FP16, FP32, FP64, log_softmax_exact, ulp_error
from stable_softmax.beyond.sequences import (
    length_normalized_score,
    log_ratio,
    sequence_log_probability,
    token_log_probabilities,
)
from stable_softmax.measure.exact_sequences import sequence_log_probability_exact
from tests.cases import INF, MAIN_FORMATS, NAN, ordinary_logits

LABELS = np.arange(50) % 10
LIBRARIES = ["numpy", "torch", "array_api_strict"]
each_library = pytest.mark.parametrize("library", LIBRARIES)


def imported(library):
    return pytest.importorskip(library, reason=f"{library} is not installed here")


# Against exact values


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_a_token_has_its_exact_log_probability(fmt):
    # |z| u of the difference, 13 u + log s of the sum of 10 terms, |log p| u of the last
    # subtraction: at most 6 + 16 + 8 units for these rows. Short formats are computed in float32.
    x = ordinary_logits(fmt)
    got = token_log_probabilities(x, LABELS)
    computed_in = fmt if fmt in (FP64, FP32) else FP32
    assert got.dtype == computed_in.dtype
    exact = log_softmax_exact(x, dtype=FP64)[np.arange(50), LABELS]
    assert np.max(np.abs(got - exact)) <= 30 * computed_in.unit_roundoff


@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_a_sequence_has_its_exact_log_probability(fmt):
    # 30 u for each of 50 tokens, as above, and a sum of size 150 in at most 50 / 8 + 3 additions
    # for each term, as NumPy adds: 150 * 10 u more. Measured: 30 u.
    x = ordinary_logits(fmt)
    got = sequence_log_probability(x, LABELS)
    computed_in = fmt if fmt in (FP64, FP32) else FP32
    assert got.dtype == computed_in.dtype
    assert abs(got - sequence_log_probability_exact(x, LABELS)) <= 3000 * computed_in.unit_roundoff


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=str)
def test_a_sum_of_a_thousand_is_not_rounded_to_a_short_format(fmt):
    x = np.tile(ordinary_logits(fmt), (20, 1))
    got = sequence_log_probability(x, np.tile(LABELS, 20))
    exact = sequence_log_probability_exact(x, np.tile(LABELS, 20))
    assert abs(got - exact) < 1e-3  # 20 times the sum above; one ulp in bfloat16 is 16 here
    assert abs(float(got.astype(fmt.dtype)) - exact) > 0.1


def test_the_product_underflows_and_the_sum_does_not():
    x = np.zeros((2000, 2))
    labels = np.zeros(2000, dtype=int)
    assert np.prod(np.exp(token_log_probabilities(x, labels))) == 0
    assert ulp_error(sequence_log_probability(x, labels), 2000 * np.log(0.5)) <= 1


# What counts


def test_tokens_that_are_ignored_may_have_any_logits():
    x = np.zeros((3, 2))
    x[1] = [NAN, INF]
    np.testing.assert_allclose(token_log_probabilities(x, [0, -100, 1]), np.log([0.5, 1, 0.5]))
    np.testing.assert_allclose(token_log_probabilities(x, [0, 7, 1], 7), np.log([0.5, 1, 0.5]))
    assert sequence_log_probability(x, [0, -100, 1]) == 2 * np.log(0.5)
    assert length_normalized_score(x, [0, -100, 1]) == np.log(0.5)
    assert log_ratio(x, 2 * x, [0, -100, 1]) == 0


def test_ignored_tokens_have_the_gradient_0():
    torch = imported("torch")
    x = torch.zeros((2, 3), dtype=torch.float64)
    x[0] = torch.nan
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(sequence_log_probability(x, [-100, 0]), x)
    np.testing.assert_allclose(gradient.numpy(), [[0, 0, 0], [2 / 3, -1 / 3, -1 / 3]])


def test_a_sequence_without_tokens_has_the_probability_1():
    none = np.zeros((2, 0, 3)), np.zeros((2, 0), dtype=int)
    for f in (sequence_log_probability, length_normalized_score):
        np.testing.assert_array_equal(f(*none), [0, 0])
    np.testing.assert_array_equal(log_ratio(none[0], *none), [0, 0])
    assert length_normalized_score(np.zeros((1, 3)), [-100]) == 0


def test_the_score_is_the_log_probability_over_a_power_of_the_length():
    x, total = ordinary_logits(FP64), sequence_log_probability(ordinary_logits(FP64), LABELS)
    assert length_normalized_score(x, LABELS, power=0) == total
    assert ulp_error(length_normalized_score(x, LABELS), total / 50) <= 1
    short = x.astype(np.float32)
    assert length_normalized_score(short, LABELS, power=0.5).dtype == np.float32
    assert ulp_error(length_normalized_score(x, LABELS, power=0.5), total / np.sqrt(50)) <= 2


def test_every_leading_axis_is_a_batch():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    labels = np.random.default_rng(1).integers(0, 4, (2, 3, 5))
    for f in (sequence_log_probability, length_normalized_score):
        assert f(x, labels).shape == (2, 3)
        assert f(x, labels)[1, 2] == pytest.approx(f(x[1, 2], labels[1, 2]), rel=1e-15)
    assert log_ratio(x, x + 1, labels).shape == (2, 3)


# The ratio


def test_the_ratio_is_the_difference_of_the_exact_log_probabilities():
    x, other = ordinary_logits(FP32), (ordinary_logits(FP32)[::-1] * np.float32(0.5))
    exact = [sequence_log_probability_exact(z, LABELS) for z in (x, other)]
    # 30 u for each of 100 log-probabilities, and for their differences and sum as much at most
    error = log_ratio(x, other, LABELS) - (exact[0] - exact[1])
    assert abs(error) <= 6000 * FP32.unit_roundoff


def test_the_ratio_of_a_model_to_itself_is_1():
    x = 40 * ordinary_logits(FP32)
    assert log_ratio(x, x, LABELS) == 0


def test_an_offset_of_one_model_that_is_exact_changes_nothing():
    x = np.random.default_rng(0).integers(-64, 64, (50, 10)) / 8
    assert log_ratio(x, x + 1024, LABELS) == 0


def test_the_differences_of_tokens_keep_what_the_difference_of_sums_loses():
    x = np.tile(30 * ordinary_logits(FP32), (40, 1))
    labels = np.tile(LABELS, 40)
    step = np.zeros_like(x)
    step[:, 0] = 2.0**-10
    exact = sequence_log_probability_exact(x + step, labels)
    exact -= sequence_log_probability_exact(x, labels)
    by_token = log_ratio(x + step, x, labels) - exact
    by_sum = sequence_log_probability(x + step, labels) - sequence_log_probability(x, labels)
    assert abs(by_token) < abs(by_sum - exact)


def test_the_ratio_of_two_formats_is_in_the_longer_one():
    x = ordinary_logits(FP64)
    assert log_ratio(x, x.astype(np.float16), LABELS).dtype == np.float64
    assert log_ratio(x.astype(np.float16), x.astype(BF16.dtype), LABELS).dtype == np.float32


# Special values


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(
    ("row", "label", "expected"),
    [
        ([0.0, -INF], 0, 0),
        ([0.0, -INF], 1, -INF),
        ([INF, 0.0], 0, NAN),
        ([INF, 0.0], 1, NAN),
        ([NAN, 0.0], 1, NAN),
        ([-INF, -INF], 0, NAN),
        ([5.0], 0, 0),
    ],
)
def test_special_rows(row, label, expected):
    np.testing.assert_equal(sequence_log_probability([row], [label]), expected)
    np.testing.assert_equal(length_normalized_score([row], [label]), expected)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_the_ratio_of_tokens_that_a_model_rules_out():
    one, none = [[0.0, 0.0]], [[0.0, -INF]]
    assert log_ratio(one, none, [1]) == INF
    assert log_ratio(none, one, [1]) == -INF
    assert np.isnan(log_ratio(none, none, [1]))


# Arguments


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sequence_log_probability([1.0, 2.0], 0), ValueError, r"\(\.\.\., steps, classes"),
        (lambda: sequence_log_probability([[1.0, 2.0]], [2]), ValueError, r"lie in 0 \.\. 1"),
        (lambda: sequence_log_probability([[1.0, 2.0]], [0, 1]), ValueError, "labels must have"),
        (lambda: sequence_log_probability([[1.0, 2.0]], [0.0]), TypeError, "integer class"),
        (lambda: sequence_log_probability([[1j]], [0]), TypeError, "real numbers"),
        (lambda: sequence_log_probability([[]], [0]), ValueError, "no class"),
        (lambda: token_log_probabilities([[1.0]], [0], None), TypeError, "ignore_label must be"),
        (lambda: length_normalized_score([[1.0]], [0], -1), ValueError, "power must be at least 0"),
        (lambda: length_normalized_score([[1.0]], [0], NAN), ValueError, "power must be at least"),
        (lambda: length_normalized_score([[1.0]], [0], "1"), TypeError, "power must be a real"),
        (lambda: log_ratio([[1.0, 0.0]], [[1.0]] * 2, [0]), ValueError, "labels must have shape"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_models_of_two_libraries_are_refused():
    torch = imported("torch")
    with pytest.raises(TypeError, match="one library"):
        log_ratio(np.zeros((1, 2)), torch.zeros((1, 2)), [0])


@each_library
def test_every_library_gives_the_same_numbers(library):
    xp = imported(library)
    x, other = np.random.default_rng(0).normal(size=(2, 2, 6, 5))
    labels = np.array([[0, 1, 2, 3, 4, -100], [0] * 6])
    theirs = xp.asarray(x), xp.asarray(other), xp.asarray(labels)
    for got, want in [
        (sequence_log_probability(theirs[0], theirs[2]), sequence_log_probability(x, labels)),
        (length_normalized_score(theirs[0], theirs[2]), length_normalized_score(x, labels)),
        (log_ratio(*theirs), log_ratio(x, other, labels)),
    ]:
        assert type(got) is type(xp.asarray(want)) or library == "numpy"
        np.testing.assert_allclose(np.asarray(got), want, rtol=1e-14)


def test_arguments_are_not_changed():
    x, other, labels = ordinary_logits(FP64).copy(), np.ones((50, 10)), LABELS.copy()
    log_ratio(x, other, labels)
    length_normalized_score(x, labels)
    np.testing.assert_array_equal(x, ordinary_logits(FP64))
    np.testing.assert_array_equal(other, 1)
    np.testing.assert_array_equal(labels, LABELS)


def test_the_gradient_of_a_sequence_is_the_target_minus_softmax():
    torch = imported("torch")
    x = torch.tensor(np.array(ordinary_logits(FP64)), requires_grad=True)
    (gradient,) = torch.autograd.grad(sequence_log_probability(x, LABELS), x)
    expected = np.eye(10)[LABELS] - torch.softmax(x.detach(), -1).numpy()
    np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-15)
