import numpy as np
import pytest

from stable_softmax import BF16, FP16, FP32, FP64, logsumexp_exact, softmax_exact
from stable_softmax.measure.families import FAMILIES

PAIRS = [(family, fmt) for family in FAMILIES for fmt in family.formats]
BY_NAME = {family.name: family for family in FAMILIES}


@pytest.mark.parametrize(("family", "fmt"), PAIRS, ids=lambda v: getattr(v, "name", None))
def test_samples_are_finite_seeded_and_of_their_format(family, fmt):
    x, labels = family.samples(fmt, elements=2000)
    assert x.shape == (max(1, 2000 // family.n), family.n)
    assert x.dtype == fmt.dtype
    assert np.all(np.isfinite(x.astype(float)))
    assert labels.shape == (len(x),)
    assert np.all((labels >= 0) & (labels < family.n))
    again, _ = family.samples(fmt, elements=2000)
    np.testing.assert_array_equal(x, again)


def test_names_are_unique_and_every_family_says_why():
    assert len(BY_NAME) == len(FAMILIES)
    assert all(family.reason for family in FAMILIES)


def test_every_other_label_is_the_largest_logit():
    x, labels = BY_NAME["dominant, n = 10"].samples(FP64)
    np.testing.assert_array_equal(labels[::2], np.argmax(x[::2], axis=-1))
    assert np.any(labels[1::2] != np.argmax(x[1::2], axis=-1))


@pytest.mark.parametrize("fmt", [FP64, FP32], ids=str)
def test_canceling_rows_have_a_log_sum_exp_far_below_their_logits(fmt):
    x, _ = BY_NAME["canceling, n = 10"].samples(fmt, elements=500)
    assert np.max(np.abs(logsumexp_exact(x, dtype="fp64"))) < 20 * fmt.unit_roundoff


@pytest.mark.parametrize("fmt", [FP64, FP32, FP16, BF16], ids=str)
def test_subnormal_rows_have_subnormal_probabilities(fmt):
    x, _ = BY_NAME["subnormal, n = 10"].samples(fmt, elements=500)
    p = softmax_exact(x).astype(float)[:, 1:]
    assert np.mean((p > 0) & (p < fmt.smallest_normal)) > 0.9


def test_rows_of_few_values_have_at_most_five():
    x, _ = BY_NAME["few values, n = 1,000"].samples(BF16, elements=3000)
    assert all(len(set(row.astype(float))) <= 5 for row in x)


def test_a_family_is_made_in_the_formats_where_it_makes_sense():
    x, _ = FAMILIES[0].samples("fp32", 100)
    assert x.dtype == np.float32
    huge = next(family for family in FAMILIES if family.name.startswith("offset 1e8"))
    for family, fmt in ((huge, "fp16"), (FAMILIES[0], "tf32"), (FAMILIES[0], "e4m3")):
        with pytest.raises(ValueError, match=f"is measured in fp64, .*, not in {fmt}"):
            family.samples(fmt)
    with pytest.raises(TypeError, match="use one of fp64"):
        FAMILIES[0].samples("int8")
    with pytest.raises(TypeError, match=r"elements must be an int, not 2\.5"):
        FAMILIES[0].samples("fp32", 2.5)
    with pytest.raises(ValueError, match="elements must be positive, not 0"):
        FAMILIES[0].samples("fp32", 0)
