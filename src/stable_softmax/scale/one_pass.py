"""One pass: the log-sum-exp and softmax of a row that does not fit, or is not there yet.

A pair (m, s) stands for the number s * exp(m), which no format could hold. Each block of a row
gives one, and two of them are merged into one: on paper in any order and any grouping. So a row
can be read number by number, in blocks, or in parts by many machines.

The sums of a format shorter than float32 are kept in float32. Derivatives flow through all
functions, and are those of `stable_softmax.logsumexp.logsumexp_shifted`.
"""

import functools
import math
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from ..arrays import (
    as_logits,
    as_number,
    as_real,
    at_least_float32,
    drop_axes,
    namespace_of_all,
)
from ..exact_numbers import count


class ScaledSum(NamedTuple):
    """A sum of exponentials as a pair: s * exp(m).

    Parameters
    ----------
    m : array
        The shift: the largest logit, or a number near it; -inf for a sum of nothing.
    s : array, shape of m
        The sum of exp(x - m) over the logits x.
    """

    m: Any
    s: Any


def scaled_sum(x, axis=-1, keepdims=False):
    """Sum the exponentials of one block of logits.

    Other parameters: see `stable_softmax.logsumexp.logsumexp_shifted`. Errors: see
    `softmax_shifted`.

    Parameters
    ----------
    x : array_like, any shape
        The logits of the block.

    Returns
    -------
    ScaledSum
        m is the maximum, and s is at least 1. In the dtype of `x`, but at least float32; the shape
        of `x` without the class axes. A block of -inf gives (-inf, 0), which changes nothing
        when it is merged; +inf gives (inf, inf), and nan gives (nan, nan).
    """
    x, axis, xp = as_logits(x, axis)
    x = at_least_float32(x)
    m = xp.max(x, axis=axis, keepdims=True)
    s = xp.sum(xp.exp(x - _finite(m, xp)), axis=axis, keepdims=True)
    return ScaledSum(drop_axes(m, axis, keepdims), drop_axes(s, axis, keepdims))


def merge(one, other, lead=0.0):
    """Add two sums of exponentials.

    With a lead of 0 the shift of the result is the larger one. With a positive lead the shift of
    `one` is kept until that of `other` is ahead by more, so that the sum is rarely rescaled; it may
    then exceed the number of logits, by a factor of up to exp(lead). The arguments are not changed.

    Source: Milakov & Gimelshein 2018 (one logit at a time); Zadouri et al. 2026 (the lead).

    Parameters
    ----------
    one, other : ScaledSum
        Or any two pairs (m, s): of one shape, or one of them numbers without axes.
    lead : float
        At least 0. In float32, whose exp overflows at 89, lead + log(n) must stay below that.

    Returns
    -------
    ScaledSum
        A part (-inf, 0) changes nothing, inf in one of them gives (inf, inf), and nan gives nan.

    Raises
    ------
    TypeError
        If an argument is not a pair of real arrays, of one library, or `lead` is not a number.
    ValueError
        If the shapes differ, or `lead` is negative.
    """
    one, other, xp = _two(one, other)
    m = xp.where(other.m > one.m + as_number(lead, "lead", 0), other.m, one.m)
    shift = _finite(m, xp)
    s = one.s * xp.exp(one.m - shift) + other.s * xp.exp(other.m - shift)
    return ScaledSum(m, s)


def merge_in_order(sums, lead=0.0):
    """Merge sums from left to right, as they arrive.

    Other parameters and errors: see `merge`.

    Returns: a ScaledSum. ValueError also if there is none to merge.

    Parameters
    ----------
    sums : iterable of ScaledSum
        Each is forgotten after it was merged; a generator is read once.
    """
    return functools.reduce(functools.partial(merge, lead=lead), _checked(sums))


def merge_as_tree(sums):
    """Merge sums in pairs, then the results in pairs, until one is left.

    Each sum takes part in at most ``ceil(log2(k))`` merges of k.

    Returns: a ScaledSum. ValueError also if there is none to merge.

    Parameters: see `merge_in_order`. Errors: see `merge`.
    """
    sums = list(_checked(sums))
    while len(sums) > 1:
        pairs = zip(sums[::2], sums[1::2], strict=False)
        sums = [merge(*pair) for pair in pairs] + sums[len(sums) - len(sums) % 2 :]
    return sums[0]


def log_of(total):
    """Logarithm of a sum of exponentials: m + log(s).

    Returns: the shape and dtype of m. -inf for a sum of nothing, inf for (inf, inf), nan for nan.

    Errors: see `merge`.

    Parameters
    ----------
    total : ScaledSum
    """
    m, s = _pair(total, "total")
    return m + array_namespace(m, s).log(s)


def logsumexp_in_blocks(x, axis=-1, keepdims=False, block=64, join=merge_in_order):
    """Log-sum-exp of a row that is read once, block by block.

    Returns: `x` without the class axes, its floating-point dtype. Special values as in
    `logsumexp_shifted`.

    Other parameters and errors: see `logsumexp_shifted`.

    Parameters
    ----------
    block : int
        How many classes are read at a time: from 1, one by one, to the whole row. TypeError if it
        is not a whole number, ValueError if it is not positive.
    join : callable
        `merge_in_order`, `merge_as_tree` or another function of an iterable of `ScaledSum`.
    """
    x, axis, xp = as_logits(x, axis)
    total = _sum_in_blocks(x, axis, xp, block, join)
    return drop_axes(xp.astype(log_of(total), x.dtype), axis, keepdims)


def softmax_in_blocks(x, axis=-1, block=64, join=merge_in_order):
    """Softmax whose sum is formed in one pass, block by block; a second pass divides by it.

    Returns: probabilities: the shape of `x`, its floating-point dtype. Special values as in
    `softmax_shifted`.

    Parameters and errors: see `logsumexp_in_blocks`, without `keepdims`.
    """
    x, axis, xp = as_logits(x, axis)
    m, s = _sum_in_blocks(x, axis, xp, block, join)
    s = xp.where(xp.isfinite(m), s, xp.full_like(s, math.nan))
    p = xp.exp(at_least_float32(x) - _finite(m, xp)) / s
    return xp.astype(p, x.dtype)


def _sum_in_blocks(x, axis, xp, block, join):
    """Return the sum of each row, with the class axes kept."""
    block = count(block, "block")
    if not callable(join):
        raise TypeError(f"join must be a function of ScaledSums, such as merge_as_tree: {join!r}")
    kept = [n for a, n in enumerate(x.shape) if a not in axis]
    n = math.prod([x.shape[a] for a in axis])
    last = tuple(range(len(kept), x.ndim))
    rows = xp.reshape(xp.moveaxis(x, axis, last) if axis else x, (*kept, n))
    starts = range(0, n, block)
    total = join(scaled_sum(rows[..., i : min(i + block, n)]) for i in starts)
    total = _pair(total, "the result of join")
    if tuple(total.m.shape) != tuple(kept):
        raise ValueError(f"join must keep the shape {tuple(kept)}, not {tuple(total.m.shape)}")
    shape = tuple(1 if a in axis else size for a, size in enumerate(x.shape))
    return ScaledSum(*(xp.reshape(part, shape) for part in total))


def _two(one, other):
    """Return two sums of the same rows, and their namespace."""
    one, other = _pair(one, "one"), _pair(other, "other")
    if other.m.ndim and one.m.ndim and tuple(one.m.shape) != tuple(other.m.shape):
        raise ValueError(
            f"one has shape {tuple(one.m.shape)}, and other has shape {tuple(other.m.shape)}: "
            "sums of different rows are not merged"
        )
    return one, other, namespace_of_all(one=one.m, other=other.m)


def _checked(sums):
    """Yield the sums, of which there is at least one."""
    try:
        sums = iter(sums)
    except TypeError:
        raise TypeError(f"sums must be ScaledSums in an iterable, not {sums!r}") from None
    total = None
    for total in sums:
        yield _pair(total, "each sum")
    if total is None:
        raise ValueError("there is no sum to merge: give at least one")


def _pair(total, name):
    if not isinstance(total, tuple) or len(total) != 2:
        raise TypeError(f"{name} must be a ScaledSum (m, s), not {type(total).__name__}")
    m, s = (
        as_real(part, f"the {which} of {name}") for part, which in zip(total, "ms", strict=True)
    )
    namespace_of_all(m=m, s=s)
    if tuple(m.shape) != tuple(s.shape):
        raise ValueError(f"m and s of {name} must have one shape, not {m.shape} and {s.shape}")
    return ScaledSum(m, s)


def _finite(m, xp):
    """Return the shifts m, but 0 where they are infinite or nan: inf - inf would be nan."""
    return xp.where(xp.isfinite(m), m, xp.zeros_like(m))
