import numpy as np
import pytest

from stable_softmax import (
    BF16,
    FP16,
    FP32,
    FP64,
    kl_divergence_exact,
    log_softmax_log1p,
    relative_error,
    ulp_error,
)
from stable_softmax.beyond.divergence import (
    cross_entropy_between,
    entropy,
    entropy_naive,
    jensen_shannon,
    kl_divergence,
    kl_divergence_expm1,
    kl_divergence_from_logs,
    kl_divergence_gradients,
    kl_divergence_naive,
)
from stable_softmax.measure.conditioning import condition_number_kl_divergence

U = FP32.unit_roundoff
X, STEP = np.random.default_rng(0).normal(size=(2, 1000, 10))
X = X.astype(np.float32)


def moved(distance):
    return (X + distance * STEP).astype(np.float32)


@pytest.fixture(scope="module")
def exact():
    return kl_divergence_exact(X, moved(1e-4), dtype="fp64")


def test_zero_times_infinity():
    """From probabilities, the entropy of the float32 logits 0 and −200 is nan, and so is that of
    0 and −inf; with the logarithm of a zero replaced by 0 before the product, both are 0."""
    for row in ([0, -200], [0, -np.inf]):
        x = np.float32(row)
        with np.errstate(divide="ignore", invalid="ignore"):
            assert np.isnan(entropy_naive(x))
        assert entropy(x) == 0 and not np.signbit(entropy(x))


def test_kinds_of_zero_in_a_divergence():
    seen, masked = [0.0, 0.0], [0.0, -np.inf]
    assert ulp_error(kl_divergence(masked, seen), np.log(2)) <= 2
    assert kl_divergence(seen, masked) == np.inf
    assert kl_divergence(masked, masked) == 0


def test_half_of_the_rows_are_negative(exact):
    """For 1000 rows of ten float32 logits that differ by 0.0001, `kl_div` and
    `torch.distributions.kl_divergence` return a negative number in 40 to 60 percent of the rows,
    and a median relative error above 5."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    from torch.distributions import Categorical
    from torch.nn.functional import kl_div

    log_p, log_q = torch.tensor(np.stack([X, moved(1e-4)])).log_softmax(-1)
    for k in (
        kl_div(log_q, log_p.exp(), reduction="none").sum(-1),
        kl_div(log_q, log_p, log_target=True, reduction="none").sum(-1),
        torch.distributions.kl_divergence(Categorical(logits=log_p), Categorical(logits=log_q)),
    ):
        assert 0.4 < np.mean(k.numpy() < 0) < 0.6
        assert np.median(relative_error(k, exact)) > 5  # measured 14 ... 18


def test_pytorch_s_kl_div_takes_log_q_first_and_divides_by_the_classes():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    log_p, log_q = torch.tensor(np.stack([X[0], X[1]]).astype(float)).log_softmax(-1)
    with pytest.warns(UserWarning, match="divides the total loss by both the batch size and"):
        mean = torch.nn.functional.kl_div(log_q[None], log_p[None], log_target=True)
    assert relative_error(10 * mean, kl_divergence(X[0].astype(float), X[1].astype(float))) < 1e-13


def test_the_terms_have_both_signs(exact):
    for form in (kl_divergence_naive, kl_divergence_from_logs):
        k = form(X, moved(1e-4))
        assert 0.4 < np.mean(k < 0) < 0.6
        assert np.median(relative_error(k, exact)) > 10
    log_p, log_q = log_softmax_log1p(X[0]), log_softmax_log1p(moved(1e-4)[0])
    terms = np.exp(log_p) * (log_p - log_q)
    assert 1000 * exact[0] < np.sum(terms[terms > 0]) < 1e-3
    assert abs(np.sum(terms) - exact[0]) < 2 * U * entropy(X[0])
    # the approximation by the variance, up to the third order
    p, change = np.exp(log_softmax_log1p(X)), (moved(1e-4) - X).astype(float)
    mean = np.sum(p * change, axis=-1, keepdims=True)
    variance = np.sum(p * (change - mean) ** 2, axis=-1)
    np.testing.assert_allclose(variance / 2, exact, rtol=1e-3)


def test_scipy_adds_the_zero_in_kl_div_and_not_in_rel_entr():
    special = pytest.importorskip("scipy.special", reason="SciPy is not installed here")
    p, q = (np.exp(log_softmax_log1p(z)) for z in (X, moved(1e-4)))
    assert np.all(special.kl_div(p, q) >= 0)
    assert np.mean(np.sum(special.rel_entr(p, q), axis=-1) < 0) > 0.4


def test_an_added_zero(exact):
    """With the zero Σ (q − p) added, no term is negative, and the median relative error of the
    same rows is between 0.0001 and 0.002."""
    k = kl_divergence_expm1(X, moved(1e-4))
    assert np.all(k >= 0)
    assert 1e-4 < np.median(relative_error(k, exact)) < 2e-3  # measured 4e-4
    log_p, log_q = log_softmax_log1p(X), log_softmax_log1p(moved(1e-4))
    d = log_q - log_p
    assert np.all(np.exp(log_p) * (np.expm1(d) - d) >= 0)


def test_however_close():
    """From centered differences of the logits, the divergence errs by less than 20 u at every
    distance from 1e-7 to 10."""
    for distance in 10.0 ** np.arange(-7, 1.1, 0.5):
        y = moved(distance)[:100]
        right = kl_divergence_exact(X[:100], y, dtype="fp64")
        assert np.max(relative_error(kl_divergence(X[:100], y), right)) < 20 * U  # measured 8


def test_the_slopes_of_the_three_forms():
    at = {}
    for distance in (1e-5, 1e-3):
        y = moved(distance)[:100]
        right = kl_divergence_exact(X[:100], y, dtype="fp64")
        forms = (kl_divergence_from_logs, kl_divergence_expm1)
        at[distance] = [np.median(relative_error(f(X[:100], y), right)) for f in forms]
    logs, added = np.divide(at[1e-5], at[1e-3])
    assert 3e3 < logs < 3e4  # 100 squared
    assert 30 < added < 300  # 100


def test_four_formats_keep_their_digits():
    for fmt in (FP64, FP32, FP16, BF16):
        x = X[:50].astype(fmt.dtype)
        for distance in np.geomspace(8 * fmt.unit_roundoff, 8, 5):
            y = (x.astype(float) + distance * STEP[:50]).astype(fmt.dtype)
            error = ulp_error(kl_divergence(x, y), kl_divergence_exact(x, y, dtype="fp64"))
            assert np.max(error) < (20 if fmt in (FP64, FP32) else 0.6)


def test_rounded_logits():
    """Rounding logits that are 0.01 apart to float16 changes the divergence of some row by more
    than 10 percent, and of no row by more than its condition number times u."""
    y = moved(1e-2)
    stored = kl_divergence(*(z.astype(np.float16).astype(float) for z in (X, y)))
    change = relative_error(stored, kl_divergence_exact(X, y, dtype="fp64"))
    bound = condition_number_kl_divergence(X, y) * FP16.unit_roundoff
    assert np.max(change) > 0.1  # measured 0.26 or so
    assert np.all(change <= bound)  # measured 0.7 of it: the bound is of first order


def test_what_flows_back():
    """At a distance of 1e-4 the gradients of `kl_div` have lost more than three digits in float32,
    and those of the centered form none."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    z = np.stack([X, moved(1e-4)])
    right = np.stack(kl_divergence_gradients(*z.astype(float)))
    logits = torch.tensor(z, requires_grad=True)
    log_p, log_q = logits.log_softmax(-1)
    theirs = torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="sum")
    errors = []
    for k in (theirs, kl_divergence(*logits).sum()):
        (gradient,) = torch.autograd.grad(k, logits)
        error = np.linalg.norm(gradient - right, axis=-1) / np.linalg.norm(right, axis=-1)
        errors.append(np.median(error, axis=-1))
    assert np.all(errors[0] > 1000 * U)  # measured 1.3e-3, 20,000 u
    assert np.all(errors[1] < 10 * U)  # measured 1.3 u


def test_a_floor_and_a_temperature():
    target = np.broadcast_to(np.log(np.float32([0.91] + 9 * [0.01])), X.shape)
    y = (target + 1e-3 * STEP).astype(np.float32)
    right = kl_divergence_exact(target, y, dtype="fp64")
    left = cross_entropy_between(target, y) - entropy(target)
    assert round(float(entropy(target)[0]), 3) == 0.5
    assert np.median(relative_error(left, right)) > 0.1
    assert np.median(relative_error(kl_divergence(target, y), right)) < 4 * U
    softened = kl_divergence(*(z / np.float32(20) for z in (X, moved(0.02))))
    ratio = kl_divergence(X, moved(0.02)) / softened
    assert 200 < np.median(ratio) < 500  # T**2 is 400; p is softer, too
    right = kl_divergence_exact(*(z / np.float32(20) for z in (X, moved(0.02))), dtype="fp64")
    logs = kl_divergence_from_logs(*(z / np.float32(20) for z in (X, moved(0.02))))
    assert 0.1 < np.median(relative_error(logs, right)) < 0.5


def test_jensen_shannon_is_at_most_log_2_and_a_quarter_for_close_models():
    assert ulp_error(jensen_shannon([0.0, -np.inf], [-np.inf, 0.0]), np.log(2)) <= 1
    quarter = jensen_shannon(X, moved(0.02)) / kl_divergence(X, moved(0.02))
    assert abs(np.median(quarter) - 0.25) < 0.001
