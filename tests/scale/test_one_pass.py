import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import (
    BF16,
    FP16,
    FP32,
    FP64,
    logsumexp_exact,
    logsumexp_in_blocks,
    logsumexp_shifted,
    relative_error,
    softmax_exact,
    softmax_in_blocks,
    softmax_shifted,
    ulp_error,
)
from stable_softmax.scale.one_pass import (
    ScaledSum,
    log_of,
    merge,
    merge_as_tree,
    merge_in_order,
    scaled_sum,
)
from tests.cases import ALL_FORMATS, INF, MAIN_FORMATS, NAN, ordinary_logits, vectors

LAZILY = functools.partial(merge_in_order, lead=8)
JOINS = {"in order": merge_in_order, "as a tree": merge_as_tree, "with a lead": LAZILY}
each_join = pytest.mark.parametrize("join", JOINS.values(), ids=JOINS)
BLOCKS = [1, 2, 3, 7, 10, 64]


def blocks(x, size):
    return [scaled_sum(x[i : i + size]) for i in range(0, len(x), size)]


def error_in_u(total, x):
    """Relative error of s * exp(m), in units of u of float32."""
    exact = logsumexp_exact(x, dtype=FP64)
    return relative_error(total.s, np.exp(exact - float(total.m))).item() / FP32.unit_roundoff


# Against exact values


@each_join
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_log_sum_exp_in_blocks_is_within_16_ulp_of_the_exact_values(fmt, block, join):
    # The bound of the shifted form, 11 / 1.4 + 1 u for these rows, and for each of nine merges
    # about three roundings, which mostly cancel: measured 6.
    x = ordinary_logits(fmt)
    exact = logsumexp_exact(x, dtype=FP64)
    got = logsumexp_in_blocks(x, block=block, join=join)
    assert got.dtype == fmt.dtype
    assert np.max(ulp_error(got, exact)) <= (16 if fmt in (FP64, FP32) else 0.6)


@each_join
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("fmt", MAIN_FORMATS, ids=str)
def test_softmax_in_blocks_is_near_the_exact_values(fmt, block, join):
    # (2 + n + 2 |x - m|) u of the shifted form, and three for each of nine merges; the shorter
    # formats are computed in float32 and rounded once, by half an ulp, which is at most u.
    x = ordinary_logits(fmt)
    got = softmax_in_blocks(x, block=block, join=join)
    assert got.dtype == fmt.dtype
    error = relative_error(got, softmax_exact(x, dtype=FP64)) / fmt.unit_roundoff
    assert np.max(error) <= (24 if fmt in (FP64, FP32) else 1.1)


@pytest.mark.parametrize("fmt", [FP16, BF16], ids=str)
def test_a_short_format_counts_more_classes_than_it_has_digits_for(fmt):
    x = np.zeros(70_000, dtype=fmt.dtype)
    assert logsumexp_in_blocks(x) == logsumexp_exact(x)
    assert softmax_in_blocks(x)[0] == np.float64(1 / 70_000).astype(fmt.dtype)


@pytest.mark.parametrize("fmt", ALL_FORMATS, ids=str)
def test_the_format_of_the_logits_is_kept(fmt):
    x = np.zeros((2, 3), fmt.dtype)
    assert logsumexp_in_blocks(x, block=2).dtype == fmt.dtype
    assert softmax_in_blocks(x, block=2).dtype == fmt.dtype
    assert softmax_in_blocks(x[0, 0]).dtype == fmt.dtype
    assert logsumexp_in_blocks(x[0, 0]).dtype == fmt.dtype


@pytest.mark.parametrize("offset", [1e8, -1e8, 3e38, -3e38])
def test_no_offset_overflows(offset):
    x = (offset + np.arange(6)).astype(np.float32)
    for block, join in itertools.product(BLOCKS, JOINS.values()):
        assert logsumexp_in_blocks(x, block=block, join=join) == logsumexp_shifted(x)


def test_the_whole_row_as_one_block_is_the_shifted_form_bit_for_bit():
    x = 10 * ordinary_logits(FP32)
    np.testing.assert_array_equal(logsumexp_in_blocks(x, block=10), logsumexp_shifted(x))
    np.testing.assert_array_equal(softmax_in_blocks(x, block=10), softmax_shifted(x))


# The merge


def sums(limit=60.0):
    """Hypothesis strategy: sums of exponentials whose shifts lie within the limit of 0."""
    return st.builds(
        lambda m, s: ScaledSum(np.float64(m), np.float64(s)),
        st.floats(-limit, limit),
        st.floats(1, 1e6),
    )


@given(sums(), sums(), sums())
def test_merging_is_associative_within_a_bound(a, b, c):
    # Each side passes a term through two merges, and a merge costs exp, product and sum, at most
    # 4 u with an exp of 2 u. The differences of the shifts are rounded as well. Along a path they
    # add up to at most the spread, and a term that is far below counts little: exp(-z) z < 0.4.
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert left.m == right.m == max(a.m, b.m, c.m)
    weight = sum(t.s * np.exp(t.m - left.m) * (left.m - t.m) for t in (a, b, c)) / left.s
    assert relative_error(left.s, right.s) <= 2 * (8 + 1.1 * weight) * FP64.unit_roundoff


@given(sums(), sums())
def test_merging_is_commutative_bit_for_bit(a, b):
    assert merge(a, b) == merge(b, a)


@given(sums())
def test_a_sum_of_nothing_changes_nothing(a):
    nothing = scaled_sum([-INF, -INF])
    assert nothing == (-INF, 0)
    assert merge(a, nothing) == merge(nothing, a) == a
    assert merge(nothing, nothing) == nothing


def test_merging_is_not_associative_bit_for_bit():
    x = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    a, b, c = (scaled_sum(x[:, i], axis=()) for i in range(3))
    left, right = merge(merge(a, b), c), merge(a, merge(b, c))
    assert 0.2 < np.mean(left.s != right.s) < 0.8  # measured 0.42
    np.testing.assert_array_equal(left.m, right.m)


@given(vectors(-700, 700), st.integers(1, 12), st.sampled_from(list(JOINS)))
def test_every_division_and_every_order_of_merging_gives_the_same_number(x, block, join):
    m, n = np.max(np.abs(x)), len(x)
    slack = (2 * m + 8 * n) * FP64.unit_roundoff  # m + log(s) is rounded by m, s by 4 a merge
    got = logsumexp_in_blocks(x, block=block, join=JOINS[join])
    assert abs(got - logsumexp_exact(x)) <= slack


@given(vectors(-300, 300), st.floats(0, 300))
def test_the_shift_need_not_be_the_maximum(x, lead):
    total = merge_in_order(blocks(x, 1), lead=lead)
    assert x.max() - lead <= total.m <= x.max()
    assert total.m in x


def test_the_shift_is_kept_until_another_is_ahead_by_more_than_the_lead():
    low, high = scaled_sum([0.0]), scaled_sum([8.0])
    assert merge(low, high, lead=8) == (0, 1 + np.exp(8.0))
    assert merge(low, high, lead=7) == (8, 1 + np.exp(-8.0))
    assert merge(high, low, lead=8) == (8, 1 + np.exp(-8.0))


def test_a_lead_beyond_the_range_of_exp_overflows():
    low, high = scaled_sum(np.float32([0])), scaled_sum(np.float32([90]))
    with pytest.warns(RuntimeWarning, match="overflow"):
        assert merge(low, high, lead=100).s == INF


def test_a_tree_of_any_size_merges_every_sum_once():
    for k in range(1, 20):
        assert merge_as_tree(blocks(np.zeros(k), 1)) == (0, k)
        assert merge_in_order(blocks(np.zeros(k), 1)) == (0, k)


def test_sums_are_read_once_and_as_they_come():
    seen = []

    def arriving():
        for x in [1.0, 3.0, 2.0]:
            seen.append(x)
            yield scaled_sum([x])

    total = merge_in_order(arriving())
    assert seen == [1, 3, 2]
    assert ulp_error(log_of(total), logsumexp_exact([1.0, 3.0, 2.0])) <= 1


# Special values

TABLE = [  # the same for every block size, and what the chapter says of a mask
    [0.0, -INF, 1.0],
    [-INF, -INF, 1.0],
    [-INF, -INF, -INF, 0.0, 1.0],
    [1.0, 0.0, -INF, -INF],
    [INF, 0.0, 1.0],
    [0.0, 1.0, INF],
    [INF, INF],
    [INF, -INF],
    [-INF, INF],
    [-INF, -INF],
    [-INF],
    [NAN, 0.0],
    [0.0, NAN],
    [-INF, NAN],
    [NAN, INF],
    [INF, NAN],
    [5.0],
]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("library", ["numpy", "torch", "array_api_strict"])
@each_join
@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("row", TABLE, ids=str)
def test_special_rows_are_those_of_the_shifted_forms(row, block, join, library):
    xp = pytest.importorskip(library, reason=f"{library} is not installed here")
    x = xp.asarray([row, [0.0] * len(row)])
    for in_blocks, shifted in [
        (logsumexp_in_blocks, logsumexp_shifted),
        (softmax_in_blocks, softmax_shifted),
    ]:
        got = np.asarray(in_blocks(x, block=block, join=join))
        want = shifted(np.asarray(x))
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_fully_masked_first_block_needs_the_guard():
    def unguarded(one, other):
        m = np.maximum(one.m, other.m)
        return ScaledSum(m, one.s * np.exp(one.m - m) + other.s * np.exp(other.m - m))

    nothing, some = ScaledSum(-INF, 0.0), scaled_sum([1.0, 2.0])
    assert unguarded(nothing, some) == merge(nothing, some)
    with np.errstate(invalid="ignore"):
        spoiled = unguarded(nothing, nothing)
        assert np.isnan(unguarded(spoiled, some).s)
    assert merge(merge(nothing, nothing), some) == some


def test_no_warning_on_the_way_through_masked_blocks():
    x = np.array([-INF] * 5 + [0.0, 1.0] + [-INF] * 5)
    for block, join in itertools.product(BLOCKS, JOINS.values()):
        assert logsumexp_in_blocks(x, block=block, join=join) == logsumexp_shifted(x[5:7])
        np.testing.assert_array_equal(softmax_in_blocks(x, block=block, join=join)[:5], 0)


# Arguments


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 0), None, ()])
@pytest.mark.parametrize("block", [1, 5, 100])
def test_shapes_and_axes_have_the_meaning_of_numpy(axis, block):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for keepdims in (False, True):
        got = logsumexp_in_blocks(x, axis, keepdims, block)
        want = logsumexp_shifted(x, axis, keepdims)
        assert np.shape(got) == np.shape(want)
        np.testing.assert_allclose(got, want, rtol=1e-14)
        total = scaled_sum(x, axis, keepdims)
        assert np.shape(total.m) == np.shape(total.s) == np.shape(want)
    np.testing.assert_allclose(softmax_in_blocks(x, axis, block), softmax_shifted(x, axis), 1e-14)


def test_arguments_are_not_changed():
    x = np.array(ordinary_logits(FP32))
    before, one, other = x.copy(), scaled_sum(x[0]), scaled_sum(x)
    kept = [np.copy(part) for part in (*one, *other)]
    softmax_in_blocks(x, block=3)
    merge(one, other)
    np.testing.assert_array_equal(x, before)
    for part, copy in zip((*one, *other), kept, strict=True):
        np.testing.assert_array_equal(part, copy)


def test_lists_and_integers_are_promoted():
    assert logsumexp_in_blocks([1, 2, 3], block=2) == logsumexp_in_blocks([1.0, 2.0, 3.0], block=2)
    assert merge((0, 1), (0, 2)) == (0, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: logsumexp_in_blocks([1.0], block=0), ValueError, "block must be positive"),
        (lambda: softmax_in_blocks([1.0], block=1.5), TypeError, "block must be an int"),
        (lambda: softmax_in_blocks([1.0], join="tree"), TypeError, "join must be a function"),
        (lambda: logsumexp_in_blocks([], block=1), ValueError, "x has no class"),
        (lambda: logsumexp_in_blocks([1.0], keepdims=2), TypeError, "keepdims must be True"),
        (lambda: softmax_in_blocks([1j]), TypeError, "x must hold real numbers"),
        (lambda: scaled_sum([[1.0], [2.0, 3.0]]), ValueError, "rows differ in length"),
        (lambda: merge(1.0, (0.0, 1.0)), TypeError, "one must be a ScaledSum"),
        (lambda: merge((0.0, 1.0), (0.0, 1.0, 2.0)), TypeError, "other must be a ScaledSum"),
        (lambda: merge((0.0, "one"), (0.0, 1.0)), TypeError, "the s of one must hold real"),
        (lambda: merge(([0.0], 1.0), (0.0, 1.0)), ValueError, "m and s of one must have one shape"),
        (lambda: merge(([0.0], [1.0]), ([0.0] * 2,) * 2), ValueError, "sums of different rows"),
        (lambda: merge((0.0, 1.0), (0.0, 1.0), -1), ValueError, "lead must be at least 0"),
        (lambda: merge((0.0, 1.0), (0.0, 1.0), "8"), TypeError, "lead must be a real number"),
        (lambda: log_of(3.0), TypeError, "total must be a ScaledSum"),
        (lambda: merge_in_order([]), ValueError, "no sum to merge"),
        (lambda: merge_as_tree([]), ValueError, "no sum to merge"),
        (lambda: merge_in_order([(0.0, 1.0), 3.0]), TypeError, "each sum must be a ScaledSum"),
        (lambda: merge_in_order([3.0]), TypeError, "each sum must be a ScaledSum"),
        (lambda: merge_as_tree([3.0]), TypeError, "each sum must be a ScaledSum"),
        (lambda: merge_in_order(5), TypeError, "sums must be"),
        (lambda: merge_as_tree(5), TypeError, "sums must be"),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Derivatives


@each_join
@pytest.mark.parametrize("block", [1, 3, 64])
def test_the_gradient_in_blocks_is_softmax(block, join):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    x = torch.tensor(np.array(ordinary_logits(FP32)), requires_grad=True)
    (gradient,) = torch.autograd.grad(logsumexp_in_blocks(x, block=block, join=join).sum(), x)
    exact = softmax_exact(x, dtype=FP64)
    assert np.max(np.abs(gradient.double().numpy() - exact)) <= 32 * FP32.unit_roundoff


@pytest.mark.parametrize("row", [[-INF, -INF, 1, 2], [1, -INF, -INF, -INF], [0, 0, 0, -INF]])
def test_masked_blocks_have_the_gradient_0(row):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    for block in (1, 2, 3):
        x = torch.tensor(row, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(logsumexp_in_blocks(x, block=block), x)
        np.testing.assert_allclose(gradient.numpy(), softmax_exact(np.array(row)), atol=1e-15)


# What the chapter measures


RISING = (np.arange(4096) / 1000).astype(np.float32)


def test_one_by_one_a_rising_row_loses_a_hundred_times_more_than_in_two_passes():
    one_by_one = error_in_u(merge_in_order(blocks(RISING, 1)), RISING)
    assert one_by_one > 500  # measured 1143: the roundings of exp(-0.001) agree in sign
    lazily = error_in_u(merge_in_order(blocks(RISING, 1), lead=8), RISING)
    assert lazily < 40  # measured 11
    assert error_in_u(merge_in_order(blocks(RISING, 64)), RISING) < 15  # measured 3.7
    assert error_in_u(merge_as_tree(blocks(RISING, 1)), RISING) < 10  # measured 0.4
    assert error_in_u(merge_as_tree(blocks(RISING, 64)), RISING) < 10


def test_sums_of_two_libraries_are_refused_by_their_names():
    torch = pytest.importorskip("torch")
    theirs = ScaledSum(torch.zeros(3), torch.ones(3))
    with pytest.raises(TypeError, match=r"one library; these are one of numpy, other of torch$"):
        merge(ScaledSum(np.zeros(3), np.ones(3)), theirs)
    with pytest.raises(TypeError, match=r"one library; these are m of numpy, s of torch$"):
        log_of((np.zeros(3), theirs.s))


@pytest.mark.parametrize(
    ("join", "error", "told"),
    [
        (list, TypeError, "the result of join must be a ScaledSum"),
        (lambda sums: scaled_sum(np.zeros((2, 2))), ValueError, r"must keep the shape \(\), not"),
    ],
)
def test_a_join_that_does_not_join_is_refused(join, error, told):
    with pytest.raises(error, match=told):
        logsumexp_in_blocks([1.0, 2.0], block=1, join=join)
