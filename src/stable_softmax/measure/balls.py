"""Balls: intervals that are guaranteed to hold the real number, and the terms of softmax in them.

Arb, through python-flint, computes with them at any precision, and mpmath where it is not
installed. Nothing is assumed about the
accuracy of exp or log.
"""

import functools
import math
from fractions import Fraction
from importlib.util import find_spec

from ..extras import needs
from ..floating_point import FP64, round_integer

_START_BITS, _MOST_BITS = 96, 1 << 17
#: A tail below 2 to the power of minus this many bits is small beside any number of a format.
LEAST_BITS = 4000


@functools.cache
def ball_arithmetic():
    """Return the library of balls, imported when it is first needed.

    Returns
    -------
    module
        ``flint``: its numbers are ``arb``, its precision is in ``ctx``. Where only mpmath is
        installed, `stable_softmax.measure.intervals`, which has the same.

    Raises
    ------
    ImportError
        If neither is installed.
    """
    if not find_spec("flint") and find_spec("mpmath"):
        from . import intervals

        return intervals
    with needs("exact"):
        import flint
    return flint


class Terms:
    """The exponentials of a finite row minus its maximum, and what softmax needs of them.

    The sum is 1, or k for k equal maxima, and a tail that no precision may reach. However small,
    it decides a tie: the result lies beyond the middle of two numbers. There, ``2**-bits`` takes
    the place of the tail: what it meets has fewer bits, so the effect is the same.

    Parameters
    ----------
    row : list of float, int and Fraction
    """

    def __init__(self, row):
        arb, top = ball_arithmetic().arb, max(row)
        self.top, others, zero = ball_of(top), row.count(top) - 1, arb(0)
        self.z = [zero if v == top else ball_of(v) - self.top for v in row]
        self.e = [v.exp() for v in self.z]
        tail = sum([e for v, e in zip(row, self.e, strict=True) if v != top], zero)
        least = power_of_two(-LEAST_BITS - bits_of(row))
        is_tiny = not (tail == 0 or tail > least)
        self.rest = others + tail
        self.decisive_rest = others + least if is_tiny else self.rest
        self.log_sum = least if is_tiny and not others else self.rest.log1p()

    def softmax(self):
        """Return a ball for each probability."""
        total, of_maximum = 1 + self.rest, 1 / (1 + self.decisive_rest)
        return [of_maximum if e == 1 else e / total for e in self.e]

    def log_softmax(self):
        """Return a ball for each log-probability."""
        return [z - self.log_sum for z in self.z]

    def loss(self, label):
        """Return the ball of minus the log-probability of one class."""
        return self.log_sum - self.z[label]

    def logsumexp(self):
        """Return the ball of the log-sum-exp."""
        return self.top + self.log_sum

    def complement(self, i):
        """Return the ball of 1 - p of one class, without cancellation: the others over the sum."""
        if self.e[i] == 1:
            return self.decisive_rest / (1 + self.decisive_rest)
        return (1 + self.rest - self.e[i]) / (1 + self.rest)


def ball_of(number):
    """Return the ball of an int, a float or a Fraction."""
    if isinstance(number, Fraction):
        return ball_arithmetic().arb(ball_arithmetic().fmpq(*number.as_integer_ratio()))
    return ball_arithmetic().arb(number)


@functools.cache
def power_of_two(exponent):
    """Return the ball of ``2**exponent``."""
    return ball_arithmetic().arb(2) ** exponent


def bits_of(row):
    """Return how many bits the longest number has that is not of type float."""
    return max((_length(v) for v in row if not isinstance(v, float)), default=0)


def _length(number):
    return number.numerator.bit_length() + number.denominator.bit_length()


def with_enough_bits(attempt, row, fmt):
    """Call a function at rising precision until it can decide.

    Parameters
    ----------
    attempt : callable
        Takes nothing and returns None where the precision is not enough.
    row, fmt
        The row and the format, which decide when to give up.

    Raises
    ------
    ArithmeticError
        If no precision was enough.
    """
    bits, most = _START_BITS, _MOST_BITS + 4 * bits_of(row)
    while bits <= most:
        with ball_arithmetic().ctx.workprec(bits):
            result = attempt()
        if result is not None:
            return result
        bits *= 2
    raise ArithmeticError(f"{most} bits do not decide the rounding of row {row} to {fmt}")


def round_ball(ball, fmt):
    """Return the number of the format to which the whole ball rounds, or None if undecided.

    Parameters
    ----------
    ball : flint.arb
    fmt : Format
    """
    if not ball.is_finite():
        return None
    low, high = ball.lower(), ball.upper()
    nearest = float(low)
    if nearest == float(high) and (rounded := _round_float(nearest, fmt)) is not None:
        return rounded
    low, high = (round_integer(*map(int, end.man_exp()), fmt) for end in (low, high))
    return low if low == high or (low != low and high != high) else None


def _round_float(number, fmt):
    """Round the float nearest to a real number in its place; None where it is a tie.

    A tie of a shorter format is a float, so a number beside it is on the side of its float.
    """
    if fmt is FP64 or not math.isfinite(number):
        return number + 0.0 if fmt.has_infinity else None  # no -0.0
    last = max(math.frexp(number)[1] - 1, fmt.min_exponent) - fmt.precision + 1
    units = math.ldexp(number, -last)
    rounded = math.ldexp(round(units), last)
    return rounded if abs(units) % 1 != 0.5 and abs(rounded) <= fmt.largest else None
