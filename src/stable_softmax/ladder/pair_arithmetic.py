"""Pairs of float64 numbers as one number of 106 bits: sums, products, exp and log; and triples.

A pair ``(h, l)`` stands for the real number ``h + l``. ``h`` is the number rounded to float64 and
``l`` is what that rounding lost. Everything here is made of ``+ - * /``, comparisons, powers of two
and a table. IEEE 754 defines each of them to the bit, so the results are the same on every
processor and with every version of NumPy; ``numpy.exp`` and ``numpy.log`` promise no such thing.

References
----------
Dekker 1971 and Knuth 1969 (the exact sum and product); Tang 1989 (exp from a table); Hida, Li &
Bailey 2001 (the arithmetic of pairs); chapters 4 and 14 of Muller et al. 2018.
"""

import functools
import math
from decimal import Decimal, localcontext

import numpy as np
from array_api_compat import array_namespace

from ..floating_point import FP64, round_to

_STEPS = 256  # table entries between 1 and 2
_SPLITTER = 2.0**27 + 1.0


def two_sum(a, b):
    """Add two numbers and recover what the rounding of the sum lost.

    Source: Knuth 1969, The Art of Computer Programming, volume 2 (TwoSum).

    Parameters
    ----------
    a, b : array of one floating-point dtype
        Any array library, any format that rounds to nearest.

    Returns
    -------
    s, t : array
        ``s = fl(a + b)``, and ``s + t = a + b`` exactly. t is not finite where the sum is not,
        and need not be where b is the largest number of the format and a is not.
    """
    s = a + b
    part_of_b = s - a
    return s, (a - (s - part_of_b)) + (b - part_of_b)


def two_product(a, b):
    """Multiply two float64 numbers and recover what the rounding of the product lost.

    Source: Dekker 1971: each factor is split into two halves of at most 26 bits, whose products
    are exact.

    Parameters
    ----------
    a, b : float64 array
        Smaller than 2**996 in magnitude.

    Returns
    -------
    p, t : float64 array
        ``p = fl(a b)``, and ``p + t = a b`` exactly, unless t is too small for float64.
    """
    p = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2


def add(x, y):
    """Add two pairs.

    Parameters
    ----------
    x, y : pair of float64 arrays

    Returns
    -------
    pair of float64 arrays
        With a relative error of a few 2**-105, unless the two nearly cancel.
    """
    s, t = two_sum(x[0], y[0])
    return _renormalize(s, t + (x[1] + y[1]))


def multiply(x, y):
    """Multiply two pairs; the relative error is a few 2**-104.

    Parameters: see `add`.

    Returns
    -------
    pair of float64 arrays
    """
    p, t = two_product(x[0], y[0])
    return _renormalize(p, t + (x[0] * y[1] + x[1] * y[0]))


def divide(x, y):
    """Divide two pairs; the relative error is a few 2**-104.

    Parameters: see `add`.

    Returns
    -------
    pair of float64 arrays
    """
    q = x[0] / y[0]
    p, t = two_product(q, y[0])
    return _renormalize(q, (((x[0] - p) - t) + (x[1] - q * y[1])) / y[0])


def add_up(x, add=add):
    """Add the pairs along the last axis: halve the row until one pair is left.

    Parameters
    ----------
    x : pair of float64 arrays, shape (..., n)
        Or triple of them.
    add : function
        `add`, or `add_triples`.

    Returns
    -------
    pair of float64 arrays, shape (...)
        Or triple. The order of the additions is fixed, so the bits are as well. An empty row
        gives 0.
    """
    while (n := x[0].shape[-1]) > 1:
        even, odd = (tuple(part[..., i : n - n % 2 : 2] for part in x) for i in (0, 1))
        last = (part[..., n - n % 2 :] for part in x)
        pairs = zip(add(even, odd), last, strict=True)
        x = tuple(np.concatenate(parts, axis=-1) for parts in pairs)
    return tuple(part.sum(axis=-1) for part in x)  # one summand or none


def exp_pair(x):
    """Exponential of a pair.

    With ``x = k log 2 + j/256 log 2 + r``, it is ``2**k`` times an entry of the table times the
    exponential of a remainder of at most 0.0014, for which seven terms of the series are enough.

    Source: Tang 1989.

    Parameters
    ----------
    x : pair of float64 arrays
        Between -1000 and 1000.

    Returns
    -------
    y : pair of float64 arrays
        Between 0.99 and 2; the relative error is below 2**-76.
    k : int array
        ``exp(x) = y * 2**k``. The power is kept apart, so nothing overflows or underflows.
    """
    c1, c2, c3 = _log2_step()
    m = np.rint(x[0] / (c1 + c2))
    high, low = two_sum(x[0] - m * c1, -(m * c2))  # the two products are exact
    high, low = _renormalize(high, low + (x[1] - m * c3))
    square, lost = two_product(high, high)
    series = 1 / 6 + high * (1 / 24 + high * (1 / 120 + high * (1 / 720 + high / 5040)))
    rest = low * (1 + high) + high * square * series
    p, t = two_sum(high, square / 2)
    m = m.astype(np.int32)
    entry = tuple(part[m % _STEPS] for part in _table())
    return add(entry, multiply(entry, (p, t + (lost / 2 + rest)))), m // _STEPS


def log1p_pair(x):
    """Logarithm of 1 + x, for a pair that is not negative.

    With ``1 + x = 2**k T (1 + w)`` and T the nearest entry of the same table, it is
    ``k log 2 + log T + log(1 + w)``, and eight terms of the series are enough for the last one.

    Source: Tang 1990.

    Parameters
    ----------
    x : pair of float64 arrays
        Not negative, finite, smaller than 2**900.

    Returns
    -------
    pair of float64 arrays
        The relative error is below 2**-70, for small x as well, as long as the low part of the
        result is a normal number; for a subnormal x the result is x.
    """
    high, low = add((np.ones_like(x[0]), np.zeros_like(x[0])), x)
    k = np.frexp(high)[1] - 1
    y = np.ldexp(high, -k), np.ldexp(low, -k)
    table = _table()
    j = np.searchsorted((table[0][1:] + table[0][:-1]) / 2, y[0])
    entry = tuple(part[j] for part in table)
    m = (k * _STEPS + j).astype(np.float64)
    w = divide(add(y, (-entry[0], -entry[1])), entry)
    w = tuple(np.where(m == 0, small, part) for small, part in zip(x, w, strict=True))
    return add(_times_log2_step(m), _log1p_series(w))


def add_triples(x, y):
    """Add two numbers of three parts each, where two parts would cancel.

    Parameters
    ----------
    x, y : triple of float64 arrays
        Each part is an ulp of the one before, or less. Parts that are 0 may be the number 0.

    Returns
    -------
    triple of float64 arrays
        With an error of a few 2**-156 of the larger one.
    """
    high, lost = two_sum(x[0], y[0])
    middle, low = two_sum(x[1], y[1])
    middle, least = two_sum(middle, lost)
    return _renormalize_triple(high, middle, x[2] + y[2] + (low + least))


def multiply_triples(x, y):
    """Multiply two numbers of three parts each; the relative error is a few 2**-156.

    Parameters: see `add_triples`.

    Returns
    -------
    triple of float64 arrays
    """
    high, lost = two_product(x[0], y[0])
    p, p_lost = two_product(x[0], y[1])
    q, q_lost = two_product(x[1], y[0])
    middle, low = two_sum(p, q)
    middle, least = two_sum(middle, lost)
    low = low + least + (p_lost + q_lost)
    return _renormalize_triple(high, middle, low + (x[0] * y[2] + x[1] * y[1] + x[2] * y[0]))


def expm1_triple(x, scale=0):
    """Return exp(a) and exp(x) - exp(a), with a = x to nine binary places, for x in [-700, 0].

    exp(a) is an entry for the whole part times an entry for the fraction, and 12 terms of the
    series are enough for the rest.

    Parameters
    ----------
    x : float64 array
    scale : int
        Both are returned times ``2**scale``, which keeps the parts of small ones normal numbers.

    Returns
    -------
    start, step : triple of float64 arrays
        Their sum is within 2**-130 of exp(x), relatively. Near 0, start is 1, and step is within
        2**-120 of exp(x) - 1.
    """
    k = np.rint(x * 512)
    whole, fraction = _exp_tables(scale)
    i, j = np.divmod(k.astype(np.int32), 512)
    start = multiply_triples(tuple(part[-i] for part in whole), tuple(part[j] for part in fraction))
    return start, multiply_triples(start, _expm1_series(x - k / 512))


def round_pair(x, fmt, k=0):
    """Round ``(h + l) * 2**k`` once, to nearest, to a format.

    Parameters
    ----------
    x : pair of float64 arrays
        Finite.
    fmt : Format
        float64 or a shorter format.
    k : int or int array
        The power of two, so that a subnormal result is rounded once only.

    Returns
    -------
    array of the format's dtype

    Notes
    -----
    To float64: the scaling may round, and what it lost is put back. To a shorter format: see
    `round_to_odd`.
    """
    high, low = two_sum(*x)
    if fmt == FP64:
        y = np.ldexp(high, k)
        lost = high - np.ldexp(y, -np.asarray(k))
        put_back = np.ldexp(round_to_odd(*two_sum(lost, low)), k)
        return np.where(lost == 0, y, y + put_back)
    return round_to(round_to_odd(np.ldexp(high, k), np.ldexp(low, k)), fmt)


def round_to_odd(s, lost):
    """Move s by one unit toward what its rounding has lost, where its last bit is even.

    Two roundings one after the other may go wrong: a number near the middle of two float16 numbers
    is first rounded to the middle, and then to the wrong side. An odd last bit says "not quite",
    and keeps the second rounding from taking s for the middle.

    Source: Boldo & Melquiond 2008 (rounding to odd); Rump, Zimmermann, Boldo & Melquiond 2009 (the
    neighbor of a number).

    Parameters
    ----------
    s : float64 or float32 array
        A rounded number, of any array library.
    lost : array
        The exact number minus s: only its sign counts.

    Returns
    -------
    array like s
        Rounded to a format with at least two bits less, it gives what one rounding of the exact
        number would give. 0 stays 0.
    """
    xp = array_namespace(s)
    bits, lost = _bits(s, xp), _bits(lost, xp).view(lost.dtype)
    moves = (bits % 2 == 0) & (s != 0) & (lost != 0) & xp.isfinite(lost)
    outward = xp.where((lost > 0) == (s > 0), xp.ones_like(bits), -xp.ones_like(bits))
    step = (bits + outward).view(s.dtype) - bits.view(s.dtype)
    return s + xp.where(moves, step, xp.zeros_like(step))


def _bits(x, xp):
    """Return the bits of a number as an integer, which autograd does not follow."""
    return x.view(xp.int64 if x.dtype == xp.float64 else xp.int32)


def _halves(a):
    c = _SPLITTER * a
    upper = c - (c - a)
    return upper, a - upper


def _renormalize(high, low):
    """Make high the rounded sum of both; it is the larger one."""
    s = high + low
    return s, low - (s - high)


def _renormalize_triple(high, middle, low):
    middle, low = two_sum(middle, low)
    high, middle = two_sum(high, middle)
    return high, *two_sum(middle, low)


def _expm1_series(b):
    """Return exp(b) - 1 as a triple, for numbers of at most 2**-10."""
    pair, square = (b, 0.0), two_product(b, b)
    *pairs, last = _inverse_factorials()
    series = last[0]
    for high, _ in reversed(pairs[5:]):
        series = high + b * series
    series = (series, np.zeros_like(b))
    for coefficient in reversed(pairs[:5]):
        series = add(coefficient, multiply(pair, series))
    cube = multiply(multiply(square, pair), series)
    return add_triples(
        (b, 0.0, 0.0), add_triples((*(part / 2 for part in square), 0.0), (*cube, 0.0))
    )


def _times_log2_step(m):
    c1, c2, c3 = _log2_step()
    high, low = two_sum(m * c1, m * c2)
    return _renormalize(high, low + m * c3)


def _log1p_series(w):
    square = multiply(w, w)
    x = w[0]
    series = 1 / 5 - x * (1 / 6 - x * (1 / 7 - x / 8))
    rest = x * square[0] * (1 / 3 - x * (1 / 4 - x * series))
    high, low = two_sum(x, -square[0] / 2)
    return _renormalize(high, low + (w[1] - square[1] / 2 + rest))


@functools.cache
def _log2_step():
    """Return log(2)/256 in three parts; m times one of the first two is exact for m < 2**19."""
    with localcontext(prec=60):
        left, parts = Decimal(2).ln() / _STEPS, []
        for bits in (34, 34, 53):
            exponent = np.frexp(float(left))[1] - bits
            parts.append(float(np.ldexp(np.rint(np.ldexp(float(left), -exponent)), exponent)))
            left -= Decimal(parts[-1])
    return tuple(parts)


@functools.cache
def _table():
    """Return 2**(j/256), j = 0 .. 256, as a pair of arrays."""
    with localcontext(prec=60):
        exact = [(Decimal(2).ln() * j / _STEPS).exp() for j in range(_STEPS + 1)]
        high = np.array([float(value) for value in exact])
        low = np.array([float(value - Decimal(h)) for value, h in zip(exact, high, strict=True)])
    return high, low


@functools.cache
def _exp_tables(scale):
    """Return 2**scale exp(-i), i = 0 .. 700, and exp(j/512), j = 0 .. 511, as triples of arrays."""
    with localcontext(prec=60):
        whole = [Decimal(2) ** scale * Decimal(-i).exp() for i in range(701)]
        fraction = [(Decimal(j) / 512).exp() for j in range(512)]
        return tuple(np.array([_parts(value, 3) for value in t]).T for t in (whole, fraction))


@functools.cache
def _inverse_factorials():
    """Return 1/3!, 1/4!, ... 1/12! as pairs."""
    with localcontext(prec=60):
        return [_parts(1 / Decimal(math.factorial(k)), 2) for k in range(3, 13)]


def _parts(value, count):
    """Split a decimal number into float64 numbers that add up to it."""
    parts = []
    for _ in range(count):
        parts.append(float(value - sum(map(Decimal, parts))))
    return tuple(parts)
