"""Intervals by mpmath, behind the part of python-flint's interface that the exact values use.

An interval has two ends, rounded outwards, so that it holds the real number, as a ball does. It is
ten to fifty times slower than a ball, and runs wherever Python runs, for example in a browser.

mpmath 1.3 rounds exp of a tiny number to the wrong side when it is asked for a direction. So exp
and log are computed to the nearest number with 32 bits more, and the ends are moved outwards by
more than two to the power of 15 times the error of that.
"""

import contextlib
import math

from ..extras import needs
from ..floating_point import FP64, round_integer

with needs("exact"):
    from mpmath import libmp

_GUARD_BITS = 32


class _Context:
    """The precision, in bits, as of ``flint.ctx``."""

    prec = 53

    @contextlib.contextmanager
    def workprec(self, bits):
        """Compute with that many bits, and afterwards with as many as before."""
        before, self.prec = self.prec, bits
        try:
            yield
        finally:
            self.prec = before


ctx = _Context()


def fmpq(numerator, denominator):
    """Return what `arb` makes an interval of: a quotient of integers."""
    return numerator, denominator


class arb:
    """A real number between two ends, as of ``flint.arb``.

    Parameters
    ----------
    number : int, float, pair of int, or arb
        A finite number, taken exactly; a pair is a quotient, rounded outwards.
    """

    __slots__ = ("ends",)

    def __init__(self, number):
        if isinstance(number, arb):
            self.ends = number.ends
        elif isinstance(number, tuple):
            ends = [(libmp.from_int(n),) * 2 for n in number]
            self.ends = libmp.mpi_div(*ends, ctx.prec)
        else:
            exact = libmp.from_int(number) if isinstance(number, int) else libmp.from_float(number)
            self.ends = exact, exact

    def _with(self, function, *others):
        """Apply a function of intervals, rounded outwards to the precision."""
        ends = [other.ends if isinstance(other, arb) else arb(other).ends for other in others]
        return _between(function(self.ends, *ends, ctx.prec))

    def __add__(self, other):
        return self._with(libmp.mpi_add, other)

    def __sub__(self, other):
        return self._with(libmp.mpi_sub, other)

    def __rsub__(self, other):
        return arb(other) - self

    def __mul__(self, other):
        return self._with(libmp.mpi_mul, other)

    def __truediv__(self, other):
        return self._with(libmp.mpi_div, other)

    def __rtruediv__(self, other):
        return arb(other) / self

    def __pow__(self, exponent):
        return _between(libmp.mpi_pow_int(self.ends, exponent, ctx.prec))

    def __neg__(self):
        return arb(0) - self

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other):
        low, high = self.ends
        return low == high and self.ends == arb(other).ends

    def __gt__(self, other):
        return libmp.mpf_gt(self.ends[0], arb(other).ends[1])

    __hash__ = None

    def exp(self):
        """Return the exponential."""
        return self._increasing(libmp.mpf_exp) if self != 0 else arb(1)

    def expm1(self):
        """Return exp(x) - 1, with as many digits for a small x as for a large one."""
        lost = max((-exponent - bits for _, _, exponent, bits in self.ends if bits), default=0)
        with ctx.workprec(ctx.prec + max(0, lost) + 2):
            difference = self.exp() - 1
        return difference + 0  # rounded to the precision

    def log(self):
        """Return the logarithm of x > 0."""
        return self._increasing(libmp.mpf_log)

    def log1p(self):
        """Return log(1 + x) for x > -1/2, with as many digits for a small x as for a large one."""
        low, high = self.ends
        tiny = libmp.mpf_shift(libmp.fone, -ctx.prec)
        if all(libmp.mpf_lt(libmp.mpf_abs(end), tiny) for end in self.ends):
            square = libmp.mpf_mul(low, low, ctx.prec, "c")
            return _between((libmp.mpf_sub(low, square, ctx.prec, "f"), high))
        with ctx.workprec(2 * ctx.prec):  # 1 + x has lost at most half of them
            return (1 + self).log()

    def _increasing(self, function):
        """Apply an increasing function of one number."""
        nearest = {end: function(end, ctx.prec + _GUARD_BITS, "n") for end in {*self.ends}}
        ends = []
        for end, direction in zip(self.ends, "fc", strict=True):
            value = nearest[end]
            error = libmp.mpf_shift(libmp.mpf_abs(value), _GUARD_BITS // 2 - ctx.prec - _GUARD_BITS)
            move = libmp.mpf_sub if direction == "f" else libmp.mpf_add
            ends.append(move(value, error, ctx.prec + _GUARD_BITS, direction))
        return _between(tuple(ends))

    def is_finite(self):
        """Tell whether both ends are."""
        return all(end not in (libmp.finf, libmp.fninf, libmp.fnan) for end in self.ends)

    def lower(self):
        """Return the lower end."""
        return _between((self.ends[0],) * 2)

    def upper(self):
        """Return the upper end."""
        return _between((self.ends[1],) * 2)

    def rad(self):
        """Return half the width, rounded up."""
        width = libmp.mpf_sub(*reversed(self.ends), ctx.prec, "c")
        return _between((libmp.mpf_shift(width, -1),) * 2)

    def man_exp(self):
        """Return integers m and e of an end, which is m times two to the power of e."""
        sign, mantissa, exponent, _ = self.ends[0]
        return (-int(mantissa) if sign else int(mantissa)), exponent

    def __repr__(self):
        low, high = (libmp.to_str(end, 17) for end in self.ends)
        return f"[{low}, {high}]"

    def __float__(self):
        if not self.is_finite():
            return math.nan
        low, high = self.ends
        middle = low if low == high else libmp.mpf_shift(libmp.mpf_add(low, high), -1)  # exactly
        return round_integer(*_between((middle, middle)).man_exp(), FP64)


def _between(ends):
    """Return the interval of two ends."""
    interval = object.__new__(arb)
    interval.ends = ends
    return interval
