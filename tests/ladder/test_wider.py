import numpy as np
import pytest

from stable_softmax import BF16, FP16, FP32, FP64, log_softmax_exact, ulp_error
from stable_softmax.ladder.wider import (
    log_softmax_wider,
    logsumexp_wider,
    softmax_wider,
)
from stable_softmax.libraries.accuracy_table import FUNCTIONS, RUNGS
from stable_softmax.libraries.autograd import kept_for_backward
from stable_softmax.measure.exact_parts import exact_parts
from stable_softmax.measure.memory import peak_memory
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


RNG = np.random.default_rng(1)
#: Rows on which a shift, a sum or a rounding in float64 could show in a shorter format.
AWKWARD = {
    "of every size": RNG.normal(size=(200, 6)) * 10.0 ** RNG.uniform(-30, 4.5, size=(200, 6)),
    "far from 0": 6e4 + 100 * RNG.normal(size=(100, 9)),
    "ever farther below": np.stack([RNG.integers(0, 4, 300), -(2.0 ** RNG.uniform(0, 14, 300))], 1),
    "tails": np.pad(-RNG.uniform(0, 110, size=(200, 5)), ((0, 0), (1, 0))),
    "ties of a short format": RNG.integers(-(2**14), 2**14, size=(200, 4)) / 2,
    "two": RNG.uniform(-1, 1, size=(500, 2)),
    "flat": np.zeros((1, 70_000)),
}


@pytest.mark.parametrize("rows", AWKWARD)
@pytest.mark.parametrize("fmt", [FP32, FP16, BF16], ids=str)
def test_awkward_rows_keep_the_ceiling_in_every_short_format(fmt, rows):
    x = AWKWARD[rows].astype(fmt.dtype)
    labels = np.arange(len(x)) % x.shape[1]
    exact = exact_parts(x, labels)
    with np.errstate(over="ignore"):  # a log-probability below the format's range
        for name in FUNCTIONS:
            got = RUNGS["wider"][name](*((x, labels) if "entropy" in name else (x,)))
            head, rest = exact[name]
            assert np.nanmax(ulp_error(got, head, fmt, remainder=rest)) <= 0.5001, name
            np.testing.assert_array_equal(np.isfinite(got), np.isfinite(head), name)


def test_logits_of_the_largest_size_lose_nothing_to_the_shift():
    row = np.array([1e38, 1e38, -3e38, 1.0], dtype=np.float32)
    np.testing.assert_array_equal(softmax_wider(row), [0.5, 0.5, 0, 0])
    with np.errstate(over="ignore"):
        got = log_softmax_wider(row)
    np.testing.assert_array_equal(got, log_softmax_exact(row))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(1,), (3, 1), (2, 5, 7), (3, 40_000), (9000, 5)])
def test_blocks_of_rows_change_nothing(name, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    whole, one_by_one = call("wider", name, x), np.empty_like(call("wider", name, x))
    for i in np.ndindex(shape[:-1]):
        one_by_one[i] = call("wider", name, x[i])
    np.testing.assert_array_equal(whole, one_by_one)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_call_needs_at_most_four_times_the_memory_of_its_logits(name, order):
    # the result, its blocks, and for columns a copy in rows; 21 times before there were blocks
    x = np.zeros((128, 50_257), dtype=np.float32, order=order)
    assert peak_memory(call, "wider", name, x) <= 4 * x.nbytes


@pytest.mark.parametrize(("shape", "axis"), [((64, 5000), 1), ((5000, 64), 0), ((8, 5000, 8), 1)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_trl_5575_the_backward_pass_keeps_eight_bytes_per_logit(name, dtype, shape, axis):
    # it kept 53 times the logits in bfloat16, which is 106 bytes per logit
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.randn(shape).to(getattr(torch, dtype))
    labels = (torch.zeros_like(x.select(axis, 0), dtype=torch.int64),) if "entropy" in name else ()
    kept = kept_for_backward(RUNGS["wider"][name], x, *labels, axis=axis)
    rows = x.numel() // x.shape[axis]
    assert kept <= 8 * (x.numel() + 9 * rows)


@pytest.mark.filterwarnings("ignore:You are comparing a array_api_strict dtype")  # in a cache
@pytest.mark.parametrize("name", FUNCTIONS)
def test_array_api_strict_is_a_library_like_others(name):
    strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")
    x = ordinary_logits(FP32)
    labels = np.zeros(len(x), dtype=int)
    f = RUNGS["wider"][name]
    for dtype in (strict.float32, strict.float64):
        more = (strict.asarray(labels),) if "entropy" in name else ()
        got = f(strict.asarray(x, dtype=dtype), *more)
        assert got.dtype == dtype
        want = call("wider", name, np.asarray(strict.asarray(x, dtype=dtype)))
        np.testing.assert_array_equal(np.asarray(got), want)


@pytest.mark.parametrize("f", [softmax_wider, log_softmax_wider, logsumexp_wider])
def test_dask_arrays_stay_lazy_and_give_the_same_bits(f):
    dask = pytest.importorskip("dask.array", reason="dask is not installed here")
    x = ordinary_logits(FP32)
    got = f(dask.from_array(x, chunks=(20, 4)))
    assert isinstance(got, dask.Array) and got.dtype == x.dtype
    np.testing.assert_array_equal(got.compute(), f(x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jax_is_refused_where_it_has_no_float64_and_agrees_where_it_has(name):
    jax = pytest.importorskip("jax", reason="JAX is not installed here")
    x, f = ordinary_logits(FP32), RUNGS["wider"][name]
    label = (np.zeros(len(x), dtype=int),) if "entropy" in name else ()
    if not label:  # labels are refused or not before the logits are looked at
        with pytest.raises(TypeError, match="float64 is off in JAX"):
            f(jax.numpy.asarray(x))
    with jax.experimental.enable_x64():
        got = f(jax.numpy.asarray(x), *label)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(np.asarray(got), call("wider", name, x))


def test_a_row_of_minus_infinity_gives_no_warning():
    x = np.full((2, 3), -np.inf, dtype=np.float32)
    np.testing.assert_array_equal(logsumexp_wider(x), [-np.inf, -np.inf])


@pytest.mark.parametrize("function", [softmax_wider, log_softmax_wider, logsumexp_wider])
@pytest.mark.parametrize("row", [[np.inf, 0.0], [-np.inf, -np.inf], [np.nan, 1.0], [np.nan, 3e38]])
def test_a_row_without_a_finite_maximum_warns_of_nothing_but_nan(function, row):
    with np.errstate(all="raise", invalid="ignore", under="ignore"):
        function(np.float32(row))
