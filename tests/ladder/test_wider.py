import numpy as np
import pytest

from stable_softmax import (
    FP64,
    log_softmax_exact,
)
from stable_softmax.ladder.wider import (
    log_softmax_wider,
    logsumexp_wider,
    softmax_wider,
)
from stable_softmax.libraries.accuracy_table import FUNCTIONS
from tests.cases import ordinary_logits
from tests.ladder.rungs import call


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_has_nothing_wider_and_gets_twosum(name):
    x = 30 * ordinary_logits(FP64)
    np.testing.assert_array_equal(call("wider", name, x), call("twosum", name, x))


def test_a_tie_is_decided_by_a_term_that_float64_cannot_hold():
    # x - m = -(2**24 + 1) is the middle of two float32 numbers; log(1 + r) is about exp(-2**24)
    row = np.array([1.0, -(2.0**24)], dtype=np.float32)
    np.testing.assert_array_equal(log_softmax_wider(row), [0, -(2.0**24) - 2])
    np.testing.assert_array_equal(log_softmax_exact(row), [0, -(2.0**24) - 2])


@pytest.mark.skipif(np.finfo(np.longdouble).bits == 64, reason="long double is float64 here")
@pytest.mark.parametrize("f", [softmax_wider, log_softmax_wider, logsumexp_wider])
def test_a_format_longer_than_float64_is_refused_where_the_result_would_be_cut_off(f):
    with pytest.raises(TypeError, match="not a floating-point format of this book"):
        f(np.array([1, 2], dtype=np.longdouble))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_wider_tensors_are_rounded_once_as_arrays_are(dtype):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = (10 * torch.tensor(ordinary_logits(FP64))).to(getattr(torch, dtype))
    got = log_softmax_wider(x).double().numpy()
    np.testing.assert_array_equal(got, log_softmax_exact(x).astype(float))
