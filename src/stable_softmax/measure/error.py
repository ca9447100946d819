"""How wrong is a number: errors in ulp, relative and absolute, and the bounds theory gives.

Computed values and reference values come as arrays of any numeric type, and each number is taken
as exactly the number it is; an error is float64. A nan is never hidden: it stays visible in every
measure.
"""

from fractions import Fraction

import numpy as np

from ..exact_numbers import each, exact_numbers, float_numbers, one_number, positive_number
from ..floating_point import FP64, format_of, ulp_of


def ulp_error(computed, reference, dtype=None, remainder=0.0):
    """Error in units in the last place of the reference value.

    Parameters
    ----------
    computed : array_like
        The results under test: real numbers, as in `exact_numbers`.
    reference : array_like
        The exact values, in the format of `computed` or a longer one; broadcast against it.
    dtype : dtype, Format or str, optional
        The format whose ulp is the unit; default: that of `computed`, float64 for a list.
    remainder : array_like, optional
        What the reference lacks of the exact value, in ulp: the second part of `exact_parts`. By
        default the reference is taken as exact.

    Returns
    -------
    numpy.ndarray of float64
        ``|(computed - reference) / ulp(reference) - remainder|``. Where the reference is 0 or
        subnormal, the unit is the smallest subnormal. Two equal infinities, and two nans, give 0;
        an infinity against anything else gives inf; a nan against a number gives nan.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or the format is not one of this book.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    A correctly rounded result has an error of at most 0.5 against the exact value, and 0 against
    a reference that is itself rounded to the format (without a remainder).
    """
    fmt = _format(computed) if dtype is None else format_of(dtype)
    computed, reference, remainder = _numbers(
        computed=computed, reference=reference, remainder=remainder
    )
    remainder = float_numbers(remainder, "remainder")
    with np.errstate(invalid="ignore", over="ignore"):
        units = _difference(computed, reference, ulp_of(reference, fmt))
        error = np.abs(units - remainder)
    return _mark_special(error, computed, reference, if_equal=np.abs(remainder))


def relative_error(computed, reference):
    """Relative error ``|computed - reference| / |reference|``.

    Errors: see `ulp_error`.

    Parameters
    ----------
    computed, reference : array_like
        Real numbers, as in `exact_numbers`; broadcast against each other.

    Returns
    -------
    numpy.ndarray of float64
        0 where both are equal (also 0, infinities, two nans); inf where the reference is 0 and
        the computed value is not, or where one is infinite; a nan against a number gives nan.
    """
    computed, reference = _numbers(computed=computed, reference=reference)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        error = np.abs(_difference(computed, reference, reference))
    return _mark_special(error, computed, reference)


def absolute_error(computed, reference):
    """Absolute error ``|computed - reference|``.

    Returns: 0 where both are equal (also infinities and two nans); a nan against a number gives
    nan.

    Parameters: see `relative_error`. Errors: see `ulp_error`.
    """
    computed, reference = _numbers(computed=computed, reference=reference)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(_difference(computed, reference, np.ones(())))
    return _mark_special(error, computed, reference)


def accurate_digits(computed, reference):
    """Count the correct decimal digits, ``-log10`` of the relative error.

    Parameters: see `relative_error`. Errors: see `ulp_error`.

    Returns
    -------
    numpy.ndarray of float64
        Between 0 and the number of digits of computed's format (15.95 in float64, where the
        relative error is at most the unit roundoff); nan where a nan meets a number.
    """
    most = -np.log10(_format(computed).unit_roundoff)
    with np.errstate(divide="ignore"):
        digits = -np.log10(relative_error(computed, reference))
    return np.clip(digits, 0.0, most)


def central_difference(f, x, step):
    """Approximate the gradient of a scalar function by central differences.

    Parameters
    ----------
    f : callable
        Takes a float64 array of the shape of `x` and returns one number.
    x : array_like
        The point, real numbers; not changed.
    step : float
        The distance h to each side. The error is of order h² from the formula plus u/h from
        rounding, so in float64 a step near 6e-6 is best for functions and values of size one.

    Returns
    -------
    numpy.ndarray of float64, shape of x

    Raises
    ------
    TypeError
        If `x`, `step` or a value of `f` is not real, or `f` cannot be called.
    ValueError
        If `step` is not positive and finite, or `f` returns more than one number.
    """
    if not callable(f):
        raise TypeError(f"f must be a function, not {type(f).__name__}")
    h = positive_number(step, "step")
    x = float_numbers(x)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        side = np.zeros_like(x)
        side[index] = h
        ends = (one_number(f(place), "f(x)") for place in (x + side, x - side))
        gradient[index] = np.subtract(*ends) / (2 * h)
    return gradient


def softmax_bound_naive(n, exp_error=1.0):
    """First-order bound on the relative error of `softmax_naive`, in units of u: n + 3.

    Source: Blanchard, Higham & Higham 2021, theorem 3.3, for a sum in any order. It is norm-wise:
    the largest error of a probability, over the largest probability. The chapter
    ``rounding_error`` derives bounds for each probability by itself.

    Parameters
    ----------
    n : int or array of int
        Number of classes.
    exp_error : float, optional
        The largest relative error of `exp` in units of u, which enters twice. The source has 1, as
        for a correctly rounded `exp`. NumPy's in float32 exceeds 1, by how much depends on the
        processor and the version. For few classes the error of a single probability can then be
        above the bound with 1, as the chapter ``rounding_error`` measures.

    Returns
    -------
    numpy.ndarray of float64

    Raises
    ------
    TypeError
        If an argument is not real.
    ValueError
        If n is not a positive whole number, what cannot be negative is negative, or the shapes do
        not broadcast.
    """
    n, more = _together(n=_classes(n), exp_error=_size(exp_error, "exp_error"))
    return n + 1 + 2 * more


def softmax_bound_shifted(n, spread, exp_error=1.0):
    """First-order bound on the relative error of `softmax_shifted`, in units of u.

    Other parameters and errors: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021, theorem 4.3, norm-wise: ``n + 2 + 2 (max x - min x)``.

    Parameters
    ----------
    spread : float or array
        ``max(x) - min(x)``.
    """
    n, more, spread = _together(
        n=_classes(n), exp_error=_size(exp_error, "exp_error"), spread=_size(spread, "spread")
    )
    return n + 2 * more + 2 * spread


def softmax_bound_division_free(n, lse, deviation, exp_error=1.0):
    """First-order bound on the relative error of ``exp(x - lse)``, in units of u.

    Other parameters and errors: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021, theorem 3.4, norm-wise, for a log-sum-exp that is not
    shifted: ``|lse| + max |x - lse| + n + 2``. The shift in `softmax_from_logsumexp` adds at most
    log(n).

    Parameters
    ----------
    lse : float or array
        The log-sum-exp of the logits.
    deviation : float or array
        ``max |x - lse|``.
    """
    n, more, lse, deviation = _together(
        n=_classes(n),
        exp_error=_size(exp_error, "exp_error"),
        lse=float_numbers(lse, "lse"),
        deviation=_size(deviation, "deviation"),
    )
    return np.abs(lse) + deviation + n + 2 * more


def logsumexp_bound_naive(n, lse, exp_error=1.0):
    """First-order bound on the relative error of `logsumexp_naive`, in units of u.

    Other parameters and errors: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021: ``1 + (n + 1) / |lse|``. `exp_error` enters once.

    Parameters
    ----------
    lse : float or array
        The log-sum-exp of the logits; where it is 0, the bound is inf.
    """
    n, more, lse = _together(
        n=_classes(n), exp_error=_size(exp_error, "exp_error"), lse=float_numbers(lse, "lse")
    )
    with np.errstate(divide="ignore"):
        return 1 + (n + more) / np.abs(lse)


def logsumexp_bound_shifted(n, lse, minimum, exp_error=1.0):
    """First-order bound on the relative error of `logsumexp_shifted`, in units of u.

    Other parameters and errors: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021, theorem 4.2: ``|lse + n - min x| / |lse|``. Here 1 is
    added, for the last addition. `exp_error` enters once.

    Parameters
    ----------
    lse : float or array
        The log-sum-exp of the logits; where it is 0, the bound is inf.
    minimum : float or array
        ``min(x)``.
    """
    n, more, lse, minimum = _together(
        n=_classes(n),
        exp_error=_size(exp_error, "exp_error"),
        lse=float_numbers(lse, "lse"),
        minimum=float_numbers(minimum, "minimum"),
    )
    with np.errstate(divide="ignore"):
        return 1 + (np.abs(lse + n - minimum) + more - 1) / np.abs(lse)


def _format(computed):
    return format_of(computed) if hasattr(computed, "dtype") else FP64


def _numbers(**arguments):
    """Return the arguments as exact numbers, all of one shape."""
    return _together(**{name: exact_numbers(x, name) for name, x in arguments.items()})


def _together(**arrays):
    """Return arrays in one shape."""
    try:
        return np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} has shape {x.shape}" for name, x in arrays.items())
        raise ValueError(f"the shapes do not broadcast: {shapes}") from None


def _size(x, name):
    x = float_numbers(x, name)
    if np.any(x < 0):
        raise ValueError(f"{name} must not be negative, but holds {np.min(x)}")
    return x


def _classes(n):
    n = float_numbers(n, "n")
    if not np.all((n >= 1) & (n == np.floor(n))):
        raise ValueError("n must be a number of classes: whole, and at least 1")
    return n


def _difference(a, b, unit):
    """Return ``(a - b) / unit``, from the exact difference where float64 cannot hold a and b."""
    if a.dtype == b.dtype == np.float64:
        return (a - b) / unit
    triples = np.broadcast(*(part.astype(object) for part in (a, b, unit)))
    return np.array([_quotient(*triple) for triple in triples]).reshape(triples.shape)


def _quotient(a, b, unit):
    if not all(v - v == 0 for v in (a, b, unit)) or unit == 0:
        return np.nan if a == b else np.inf
    quotient = (Fraction(a) - Fraction(b)) / Fraction(unit)
    try:
        return float(quotient)
    except OverflowError:
        return np.inf


def _mark_special(error, computed, reference, if_equal=0.0):
    """Set the error where a difference says nothing: equal infinities, and nans."""
    equal = (computed == reference).astype(bool)
    computed, reference = _special(computed), _special(reference)
    both_nan = np.isnan(computed) & np.isnan(reference)
    one_nan = np.isnan(computed) ^ np.isnan(reference)
    infinite = np.isinf(computed) | np.isinf(reference)
    error = np.where(infinite, np.inf, error)
    error = np.where(equal, if_equal, np.where(both_nan, 0.0, error))
    return np.where(one_nan, np.nan, error)


def _special(numbers):
    """Return the infinities and nans of exact numbers, and 0 for an int or a Fraction."""
    if numbers.dtype == np.float64:
        return numbers
    return each(lambda v: v if isinstance(v, float) else 0.0, numbers).astype(np.float64)
