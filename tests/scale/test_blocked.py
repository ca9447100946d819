"""Blocks of rows: the results of the shifted rung, whatever the shape, the axis and `out`."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    FP32,
    FP64,
    absolute_error,
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    cross_entropy_gradient_shifted,
    cross_entropy_shifted,
    log_softmax_exact,
    log_softmax_shifted,
    logsumexp_bound_shifted,
    logsumexp_exact,
    logsumexp_shifted,
    softmax_bound_shifted,
    softmax_exact,
    softmax_shifted,
)
from stable_softmax.measure.memory import peak_memory
from stable_softmax.scale import blocked
from stable_softmax.scale.blocked import (
    cross_entropy_with_gradient_blocked,
    log_softmax_blocked,
    logsumexp_blocked,
    softmax_blocked,
)
from tests.cases import ALL_FORMATS, INF, NAN, vectors

SHORTER = [fmt for fmt in ALL_FORMATS if fmt not in (FP32, FP64)]
EXP_ERROR = 3  # units of u: more than NumPy's exp errs by (the chapter rounding_error measures it)


def losses_blocked(x, axis=-1, out=None):
    return cross_entropy_with_gradient_blocked(x, labels_for(x, axis), axis, out)[0]


def gradient_blocked(x, axis=-1, out=None):
    return cross_entropy_with_gradient_blocked(x, labels_for(x, axis), axis, out)[1]


def losses_shifted(x, axis=-1):
    return cross_entropy_shifted(x, labels_for(x, axis), axis)


def gradient_shifted(x, axis=-1):
    return cross_entropy_gradient_shifted(x, labels_for(x, axis), axis)


def labels_for(x, axis=-1):
    """Class indices that go through all classes."""
    shape = list(np.shape(x))
    n = shape.pop(axis)
    return np.arange(int(np.prod(shape))).reshape(shape) % n


PER_CLASS = {
    "softmax": (softmax_blocked, softmax_shifted),
    "log_softmax": (log_softmax_blocked, log_softmax_shifted),
    "gradient": (gradient_blocked, gradient_shifted),
}
ALL = PER_CLASS | {
    "logsumexp": (logsumexp_blocked, logsumexp_shifted),
    "losses": (losses_blocked, losses_shifted),
}
#: Shapes on both sides of every choice: very short, short, long rows, and more than a block.
SHAPES = [(7, 1), (5, 2), (30_000, 3), (9, 4), (9, 5), (9000, 10), (8, 32), (700, 33)]
SHAPES += [(90, 1000), (3, 8192), (3, 8193), (2, 70_000), (0, 4), (3, 4, 5), (6,)]


def logits(shape, fmt, scale=3.0):
    return (scale * np.random.default_rng(0).normal(size=shape)).astype(fmt.dtype)


def same_but_for_rounding(got, want, x):
    """Both are right to n u, and n is at most as many u as the bounds allow."""
    n = np.shape(x)[-1] if np.ndim(x) else 1
    u = np.finfo(got.dtype).eps
    spread = 1 + np.ptp(x) if np.size(x) else 1
    np.testing.assert_allclose(got, want, rtol=2 * u * (n + 8 + spread), atol=4 * u * (n + spread))


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
@pytest.mark.parametrize("scale", [3.0, 50.0], ids=["small", "large"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_every_shape_gives_what_the_shifted_rung_gives(name, shape, scale, fmt):
    f, shifted = ALL[name]
    x = logits(shape, fmt, scale)
    before = x.copy()
    got, want = f(x), shifted(x)
    assert got.shape == want.shape and got.dtype == want.dtype
    same_but_for_rounding(got, want, x)
    np.testing.assert_array_equal(x, before)


ROWS = {
    "two classes": (200, 2),
    "five": (100, 5),
    "ten": (100, 10),
    "a hundred": (20, 100),
    "a thousand": (4, 1000),
    "ten thousand": (1, 10_000),
}


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
@pytest.mark.parametrize("scale", [1.0, 20.0, 40.0])
@pytest.mark.parametrize("shape", ROWS)
def test_the_error_is_within_the_bounds_of_the_shifted_rung(shape, scale, fmt):
    x = logits(ROWS[shape], fmt, scale)
    n, spread, wide = x.shape[1], np.ptp(x, axis=1), x.astype(float)
    p = softmax_exact(x, dtype="fp64")
    worst = np.max(absolute_error(softmax_blocked(x), p), axis=1) / np.max(p, axis=1)
    assert np.all(worst / fmt.unit_roundoff <= softmax_bound_shifted(n, spread, EXP_ERROR))
    lse = logsumexp_exact(x, dtype="fp64")  # rounded as well, which costs another u in float64
    error = absolute_error(logsumexp_blocked(x), lse) / np.abs(lse) / fmt.unit_roundoff - 1
    bound = logsumexp_bound_shifted(n, lse, wide.min(axis=1), EXP_ERROR)
    assert np.all(error <= bound)
    # x - m is rounded, the logarithm of s inherits the error of s, and so does the loss
    allowed = fmt.unit_roundoff * (2 * spread + n + EXP_ERROR + 2 * np.log(n) + 2)[:, None]
    log_p = log_softmax_exact(x, dtype="fp64")
    assert np.all(absolute_error(log_softmax_blocked(x), log_p) <= allowed)
    labels = labels_for(x)
    losses, gradient = cross_entropy_with_gradient_blocked(x, labels)
    assert np.all(absolute_error(losses, cross_entropy_exact(x, labels, dtype="fp64")) <= allowed.T)
    exact = cross_entropy_gradient_exact(x, labels, dtype="fp64")
    bound = fmt.unit_roundoff * (softmax_bound_shifted(n, spread, EXP_ERROR) + 1)[:, None]
    assert np.all(absolute_error(gradient, exact) <= bound)


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
@pytest.mark.parametrize("offset", [-90, -58, 0, 58, 90, 700])
def test_a_common_offset_costs_no_accuracy_with_or_without_the_shift(offset, fmt):
    x = (logits((50, 10), FP32, 1.0) + np.float32(offset)).astype(fmt.dtype)
    p = softmax_exact(x, dtype="fp64")
    error = absolute_error(softmax_blocked(x), p) / p / fmt.unit_roundoff
    assert np.max(error) <= softmax_bound_shifted(10, np.ptp(x, axis=1).max(), EXP_ERROR)
    assert np.max(absolute_error(softmax_blocked(x).sum(axis=1), 1)) <= 8 * fmt.unit_roundoff


@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_a_probability_that_is_no_subnormal_number_is_not_made_from_one(fmt):
    # exp(x) alone would be subnormal or 0 here, and its quotient by a small sum wrong
    low = np.log(fmt.smallest_normal)
    x = np.array([[low / 2, low - 1], [low / 2, 1.1 * low]]).astype(fmt.dtype)
    p = softmax_exact(x, dtype="fp64")
    error = absolute_error(softmax_blocked(x), p) / p / fmt.unit_roundoff
    assert np.max(error) <= softmax_bound_shifted(2, -low, EXP_ERROR)


SPECIAL = [(0.0, -INF), (-INF, 0.0), (0.0, INF), (-INF, INF), (-INF, -INF), (0.0, NAN), (INF, NAN)]
LENGTHS = [(fmt, more) for fmt in (FP32, FP64) for more in (0, 1, 5, 40, 9000)]
LENGTHS += [(fmt, 1) for fmt in SHORTER]


@pytest.mark.parametrize(("fmt", "more"), LENGTHS, ids=str)
@pytest.mark.parametrize("row", SPECIAL, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_special_values_are_those_of_the_shifted_rung(name, row, more, fmt):
    f, shifted = ALL[name]
    rows = [[1.0, 2.0], [*row], [2.0, 1.0], [*row[::-1]]]
    x = np.pad(np.array(rows), ((0, 0), (0, more)), constant_values=row[0]).astype(fmt.dtype)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        got, want = f(x).astype(float), shifted(x).astype(float)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_array_equal(got[~np.isfinite(got)], want[~np.isfinite(want)])
    np.testing.assert_allclose(got[np.isfinite(got)], want[np.isfinite(want)], atol=0.01, rtol=1e-3)


@pytest.mark.parametrize("name", ALL)
def test_it_warns_where_the_shifted_rung_warns_and_nowhere_else(name):
    for row in [*SPECIAL, (1e30, -1e30), (-200.0, -300.0), (1000.0, 0.0)]:
        said = []
        for f in ALL[name]:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                f(np.array([row], dtype=np.float32))
            said.append({(w.category, str(w.message)) for w in caught})
        assert said[0] == said[1], row


@pytest.mark.parametrize("fmt", SHORTER, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_shorter_formats_get_the_bits_of_the_shifted_rung(name, fmt):
    f, shifted = ALL[name]
    x = logits((20, 10), fmt)
    out = np.empty_like(shifted(x))
    np.testing.assert_array_equal(f(x).astype(float), shifted(x).astype(float))
    if name != "losses":
        assert f(x, out=out) is out
        np.testing.assert_array_equal(out.astype(float), shifted(x).astype(float))


@pytest.mark.parametrize("axis", [0, 1, 2, -2])
@pytest.mark.parametrize("name", ALL)
def test_the_class_axis_may_be_any(name, axis):
    f, shifted = ALL[name]
    x = logits((4, 5, 6), FP64)
    got, want = f(x, axis=axis), shifted(x, axis=axis)
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-14)
    if name != "losses":
        out = np.full(want.shape, 7.0)
        assert f(x, axis=axis, out=out) is out
        np.testing.assert_array_equal(out, got)


@pytest.mark.parametrize("axis", [(0, 2), (1, 2), None, ()])
def test_several_class_axes_all_of_them_and_none(axis):
    x = logits((3, 4, 5), FP64)
    for f, shifted in (ALL["softmax"], ALL["log_softmax"], ALL["logsumexp"]):
        np.testing.assert_allclose(f(x, axis=axis), shifted(x, axis=axis), rtol=1e-14, atol=1e-15)
    assert logsumexp_blocked(x, axis=1, keepdims=True).shape == (3, 1, 5)
    assert softmax_blocked(3.0) == 1 and np.shape(softmax_blocked(3.0)) == ()


@pytest.mark.parametrize("name", PER_CLASS)
def test_the_result_may_be_written_over_the_logits_or_beside_them(name):
    f = PER_CLASS[name][0]
    x = logits((4, 6), FP32)
    want = f(x)
    inside = x.copy()
    assert f(inside, out=inside) is inside
    np.testing.assert_array_equal(inside, want)
    room = np.zeros((5, 6), np.float32)  # the result is to begin one row further down
    room[:4] = x
    f(room[:4], out=room[1:])
    np.testing.assert_array_equal(room[1:], want)
    turned = np.array(x[:, :4])  # in another order than the logits that it replaces
    want = f(turned)
    f(turned, out=turned.T)
    np.testing.assert_array_equal(turned.T, want)


@pytest.mark.parametrize("name", PER_CLASS)
def test_logits_and_result_may_be_parts_of_larger_arrays(name):
    f = PER_CLASS[name][0]
    for n in (3, 10, 40, 9000):
        large, room = logits((12, 2 * n), FP64), np.zeros((12, n + 5))
        part, out = large[::2, ::2], room[::2, 2 : n + 2]
        assert f(part, out=out) is out
        np.testing.assert_allclose(out, f(part.copy()), rtol=n * 1e-15, atol=n * 1e-15)
        assert not room[1::2].any() and not room[:, :2].any() and not room[:, n + 2 :].any()


@pytest.mark.parametrize("f", [softmax_blocked, log_softmax_blocked, logsumexp_blocked])
def test_an_out_that_does_not_fit_is_refused(f):
    x = logits((4, 6), FP32)
    shape = f(x).shape
    fixed = np.empty(shape, np.float32)
    fixed.setflags(write=False)
    for out, error, words in [
        ([0.0], TypeError, "out must be a NumPy array, not list"),
        (np.empty(shape), TypeError, "dtype of the result, float32, not float64"),
        (np.empty((9, 9), np.float32), ValueError, "shape of the result"),
        (fixed, ValueError, "out is read-only"),
    ]:
        with pytest.raises(error, match=words):
            f(x, out=out)
    with pytest.raises(ValueError, match="shape of the result"):
        cross_entropy_with_gradient_blocked(x, [0, 1, 2, 3], out=np.empty(4, np.float32))


@pytest.mark.parametrize("name", ALL)
def test_lists_and_integers_are_promoted_and_other_libraries_refused(name):
    f, shifted = ALL[name]
    np.testing.assert_allclose(f([[1, 2, 3]]), shifted([[1.0, 2.0, 3.0]]), rtol=1e-15)
    with pytest.raises(ValueError, match="no class along axis"):
        f(np.zeros((2, 0))) if name in ("softmax", "log_softmax", "logsumexp") else (
            cross_entropy_with_gradient_blocked(np.zeros((2, 0)), [0, 0])
        )
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    with pytest.raises(TypeError, match=r"x must be a NumPy array, not a torch\.Tensor"):
        f(torch.zeros(2, 3))


def test_labels_are_checked():
    with pytest.raises(ValueError, match="labels must lie in"):
        cross_entropy_with_gradient_blocked(np.zeros((1, 2)), [2])
    with pytest.raises(TypeError, match="axis must be one int"):
        cross_entropy_with_gradient_blocked(np.zeros((1, 2)), [0], axis=None)
    loss, gradient = cross_entropy_with_gradient_blocked([1.0, 2.0, 4.0], 2)
    assert loss.shape == () and gradient.shape == (3,)


@given(vectors())
def test_probabilities_lie_in_0_to_1_and_no_log_probability_is_positive(x):
    for row in (x, x.astype(np.float32)):
        p = softmax_blocked(row)
        assert np.all((p >= 0) & (p <= 1))
        assert np.all(log_softmax_blocked(row) <= 0)
        assert np.all(cross_entropy_with_gradient_blocked(row, 0)[0] >= 0)


@pytest.mark.parametrize("n", [1, 2, 5, 40, 9000])
@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_a_sure_class_has_probability_1_but_for_a_rounding_in_a_row_of_many(n, fmt):
    tops = np.linspace(-50, 50, 201).astype(fmt.dtype)[:, None]
    x = np.concatenate([tops, np.repeat(tops - 80, n - 1, axis=1)], axis=1)
    p = softmax_blocked(x)[:, 0]
    assert np.all(p <= 1) and np.all(p >= 1 - fmt.unit_roundoff * (n > 32))


@given(st.floats(-80, 80), st.integers(1, 50))
def test_one_class_gives_exactly_1(x, rows):
    np.testing.assert_array_equal(softmax_blocked(np.full((rows, 1), x, np.float32)), 1)


@pytest.mark.parametrize("shape", [(100_000, 10), (4000, 500), (32, 50_257)])
def test_beyond_its_result_a_call_needs_a_few_blocks(shape):
    x = np.zeros(shape, np.float32)
    labels, out = np.zeros(shape[0], int), np.empty_like(x)
    block = max(blocked._BLOCK, 4 * shape[1])
    rows = 100 * shape[0]  # some numbers for each row
    assert peak_memory(softmax_blocked, x, out=out) <= 3 * block
    assert peak_memory(log_softmax_blocked, x, out=out) <= 4 * block
    assert peak_memory(logsumexp_blocked, x) <= 4 * block + rows
    assert peak_memory(cross_entropy_with_gradient_blocked, x, labels, out=out) <= 4 * block + rows


def test_the_size_of_numpys_buffer_is_left_as_it_was_found():
    before = np.getbufsize()
    softmax_blocked(logits((50, 1000), FP32))
    with np.errstate(invalid="raise"), pytest.raises(FloatingPointError):
        log_softmax_blocked(np.full((3, 1000), -INF, np.float32))
    assert np.getbufsize() == before


@pytest.mark.parametrize("offset", [0, 40, 1000, -80, -100, -700, -750, -1e4])
@pytest.mark.parametrize("n", [2, 10, 100, 9000])
@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_in_place_the_logits_are_not_needed_once_they_are_gone(fmt, n, offset):
    # rows near -100 in float32 lost all digits: their exponentials had taken their place
    x = (np.random.default_rng(0).normal(size=(5, n)) + offset).astype(fmt.dtype)
    labels = np.arange(5) % n
    for f in (softmax_blocked, log_softmax_blocked):
        here = x.copy()
        np.testing.assert_allclose(f(here, out=here), f(x), rtol=40 * fmt.unit_roundoff)
    losses, gradient = cross_entropy_with_gradient_blocked(x, labels)
    here = x.copy()
    again, gradient_here = cross_entropy_with_gradient_blocked(here, labels, out=here)
    np.testing.assert_allclose(again, losses, rtol=40 * fmt.unit_roundoff)
    np.testing.assert_allclose(gradient_here, gradient, atol=40 * fmt.unit_roundoff)
    assert gradient_here is here
