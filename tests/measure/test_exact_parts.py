import mpmath
import numpy as np
import pytest

from stable_softmax import (
    FP16,
    FP32,
    FP64,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    log_softmax_exact,
    logsumexp_exact,
    softmax_exact,
    ulp,
    ulp_error,
)
from stable_softmax.measure.exact_parts import exact_parts
from tests.cases import ALL_FORMATS, ordinary_logits

EXACT = {
    "softmax": lambda x, labels: softmax_exact(x),
    "log_softmax": lambda x, labels: log_softmax_exact(x),
    "logsumexp": lambda x, labels: logsumexp_exact(x),
    "cross_entropy": cross_entropy_exact,
    "cross_entropy_gradient": cross_entropy_gradient_exact,
}
LABELS = np.arange(50) % 10


@pytest.mark.parametrize("scale", [1, 30, 300])
@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_the_rounded_part_is_the_correctly_rounded_value(fmt, scale):
    # at scale 300 many log-probabilities lie next to the middle of two numbers
    x = (scale * ordinary_logits(FP64)).astype(fmt.dtype)
    x = np.where(np.isfinite(x.astype(float)), x, x.dtype.type(0))
    for name, (head, rest) in exact_parts(x, LABELS).items():
        np.testing.assert_array_equal(head, EXACT[name](x, LABELS).astype(float), err_msg=name)
        assert np.all(np.abs(rest) <= 0.5)


@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_both_parts_together_agree_with_mpmath(fmt):
    x = (10 * ordinary_logits(FP64)[:5]).astype(fmt.dtype)
    head, rest = exact_parts(x, LABELS[:5])["log_softmax"]
    with mpmath.workdps(60):
        for row, heads, rests in zip(x.tolist(), head, rest, strict=True):
            terms = [mpmath.mpf(v) for v in row]
            lse = mpmath.log(mpmath.fsum(mpmath.exp(v) for v in terms))
            for v, h, r in zip(terms, heads, rests, strict=True):
                left = (v - lse - mpmath.mpf(float(h))) / mpmath.mpf(float(ulp(h, fmt)))
                assert abs(left - r) < 1e-6


def test_half_an_ulp_is_told_from_a_little_more():
    x, labels = ordinary_logits(FP64), LABELS
    head, rest = exact_parts(x, labels)["softmax"]
    np.testing.assert_array_equal(ulp_error(head, head, FP64, rest), np.abs(rest))
    error = ulp_error(head + ulp(head), head, FP64, rest)
    np.testing.assert_allclose(error, 1 - rest, rtol=0, atol=1e-12)


def test_the_rest_of_a_subnormal_result_is_kept():
    x = np.array([[0.0, -740.3]])
    head, rest = exact_parts(x, [0])["softmax"]
    with mpmath.workdps(400):
        p = mpmath.exp(mpmath.mpf(-740.3)) / (1 + mpmath.exp(mpmath.mpf(-740.3)))
        assert abs((p - mpmath.mpf(float(head[0, 1]))) / mpmath.mpf(5e-324) - rest[0, 1]) < 1e-6
    assert 0 < abs(rest[0, 1]) < 0.5


def test_a_result_below_the_range_is_rounded_to_infinity():
    x = np.array([[60000.0, -60000.0]], dtype=np.float16)
    head, rest = exact_parts(x, [1])["log_softmax"]
    np.testing.assert_array_equal(head, [[0, -np.inf]])
    np.testing.assert_array_equal(rest, [[0, 0]])
    head, rest = exact_parts([[1.7e308, -1.7e308]], [1])["cross_entropy"]
    np.testing.assert_array_equal((head, rest), [[np.inf], [0]])


def test_results_in_a_shorter_format_than_the_logits():
    x = ordinary_logits(FP64)
    head, _ = exact_parts(x, LABELS, dtype="fp16")["softmax"]
    np.testing.assert_array_equal(head, softmax_exact(x, dtype=FP16).astype(float))


@pytest.mark.parametrize("x", [[[0.0, np.inf]], [[np.nan, 1.0]], [1.0, 2.0]])
def test_only_finite_rows_are_taken(x):
    with pytest.raises(ValueError, match="finite logits in the shape"):
        exact_parts(x, [0])


def test_a_label_out_of_range_is_refused():
    with pytest.raises(ValueError, match="labels must lie in"):
        exact_parts(np.zeros((1, 2)), [2])


def test_no_rows_give_empty_parts():
    parts = exact_parts(np.zeros((0, 3)), [])
    assert parts["softmax"][0].shape == (0, 3)
    assert parts["cross_entropy"][1].shape == (0,)
