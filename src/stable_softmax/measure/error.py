"""How wrong is a number: errors in ulp, relative and absolute, and the bounds theory gives.

Computed values and reference values come as arrays of any floating-point format; the arithmetic
of the comparison is float64. A nan is never hidden: it stays visible in every measure.
"""

import numpy as np

from ..arrays import as_float64
from ..floating_point import format_of, ulp


def ulp_error(computed, reference, dtype=None, remainder=0.0):
    """Error in units in the last place of the reference value.

    Parameters
    ----------
    computed : array_like
        The results under test.
    reference : array_like
        The exact values, in the format of `computed` or a longer one; broadcast against it.
    dtype : dtype, Format or str, optional
        The format whose ulp is the unit; default: that of `computed`.
    remainder : array_like, optional
        What the reference lacks to the exact value, in ulp: the second part of `exact_parts`. By
        default the reference is taken as exact.

    Returns
    -------
    numpy.ndarray of float64
        ``|(computed - reference) / ulp(reference) - remainder|``. Where the reference is 0 or
        subnormal, the unit is the smallest subnormal. Two equal infinities, and two nans, give 0;
        an infinity against anything else gives inf; a nan against a number gives nan.

    Notes
    -----
    A correctly rounded result has an error of at most 0.5 against the exact value, and 0 against
    a reference that is itself rounded to the format (without a remainder).
    """
    computed = computed if hasattr(computed, "dtype") else np.asarray(computed, dtype=np.float64)
    fmt = format_of(computed if dtype is None else dtype)
    computed, reference = as_float64(computed), as_float64(reference)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs((computed - reference) / ulp(reference, fmt) - remainder)
    return _mark_special(error, computed, reference, if_equal=np.abs(remainder))


def relative_error(computed, reference):
    """Relative error ``|computed - reference| / |reference|``.

    Parameters
    ----------
    computed, reference : array_like
        Broadcast against each other.

    Returns
    -------
    numpy.ndarray of float64
        0 where both are equal (also 0, infinities, two nans); inf where the reference is 0 and
        the computed value is not, or where one is infinite; a nan against a number gives nan.
    """
    computed, reference = as_float64(computed), as_float64(reference)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        error = np.abs(computed - reference) / np.abs(reference)
    return _mark_special(error, computed, reference)


def absolute_error(computed, reference):
    """Absolute error ``|computed - reference|``.

    Returns: 0 where both are equal (also infinities and two nans); a nan against a number gives
    nan.

    Parameters: see `relative_error`.
    """
    computed, reference = as_float64(computed), as_float64(reference)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(computed - reference)
    return _mark_special(error, computed, reference)


def accurate_digits(computed, reference):
    """Count the correct decimal digits, ``-log10`` of the relative error.

    Parameters
    ----------
    computed, reference : array_like
        `reference` is the exact value; broadcast against each other.

    Returns
    -------
    numpy.ndarray of float64
        Between 0 and the number of digits of computed's format (15.95 in float64, where the
        relative error is at most the unit roundoff); nan where a nan meets a number.
    """
    computed = computed if hasattr(computed, "dtype") else np.asarray(computed, dtype=np.float64)
    most = -np.log10(format_of(computed).unit_roundoff)
    with np.errstate(divide="ignore"):
        digits = -np.log10(relative_error(computed, reference))
    return np.clip(digits, 0.0, most)


def central_difference(f, x, step):
    """Approximate the gradient of a scalar function by central differences.

    Parameters
    ----------
    f : callable
        Takes an array like `x` and returns one number.
    x : array_like of float
        The point; not changed.
    step : float
        The distance h to each side. The error is of order h² from the formula plus u/h from
        rounding, so in float64 a step near 6e-6 is best for functions and values of size one.

    Returns
    -------
    numpy.ndarray, shape of x

    Raises
    ------
    ValueError
        If `step` is not positive.
    """
    if not step > 0:
        raise ValueError(f"step must be positive, not {step}")
    x = np.asarray(x, dtype=np.float64)
    gradient = np.empty_like(x)
    for index in np.ndindex(x.shape):
        h = np.zeros_like(x)
        h[index] = step
        gradient[index] = (float(f(x + h)) - float(f(x - h))) / (2 * step)
    return gradient


def softmax_bound_naive(n):
    """First-order bound on the relative error of `softmax_naive`, in units of u: n + 3.

    Source: Blanchard, Higham & Higham 2021: ``n + 3`` (norm-wise, for a sequential sum).

    Parameters
    ----------
    n : int or array of int
        Number of classes.
    """
    return np.asarray(n) + 3


def softmax_bound_shifted(n, spread):
    """First-order bound on the relative error of `softmax_shifted`, in units of u.

    Other parameters: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021: ``n + 2 + 2 (max x - min x)``.

    Parameters
    ----------
    spread : float or array
        ``max(x) - min(x)``.
    """
    return np.asarray(n) + 2 + 2 * np.asarray(spread)


def softmax_bound_division_free(n, lse, deviation):
    """First-order bound on the relative error of `softmax_from_logsumexp`, in units of u.

    Other parameters: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021: ``|lse| + max |x - lse| + n + 2``.

    Parameters
    ----------
    lse : float or array
        The log-sum-exp of the logits.
    deviation : float or array
        ``max |x - lse|``.
    """
    return np.abs(lse) + np.asarray(deviation) + np.asarray(n) + 2


def logsumexp_bound_naive(n, lse):
    """First-order bound on the relative error of `logsumexp_naive`, in units of u.

    Other parameters: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021: ``1 + (n + 1) / |lse|``.

    Parameters
    ----------
    lse : float or array
        The log-sum-exp of the logits.
    """
    return 1 + (np.asarray(n) + 1) / np.abs(lse)


def logsumexp_bound_shifted(n, lse, minimum):
    """First-order bound on the relative error of `logsumexp_shifted`, in units of u.

    Other parameters: see `softmax_bound_naive`.

    Source: Blanchard, Higham & Higham 2021: ``1 + |lse + n - min x| / |lse|``.

    Parameters
    ----------
    lse : float or array
        The log-sum-exp of the logits.
    minimum : float or array
        ``min(x)``.
    """
    return 1 + np.abs(np.asarray(lse) + n - minimum) / np.abs(lse)


def _mark_special(error, computed, reference, if_equal=0.0):
    """Set the error where a difference says nothing: equal infinities, and nans."""
    computed, reference = np.broadcast_arrays(computed, reference)
    both_nan = np.isnan(computed) & np.isnan(reference)
    one_nan = np.isnan(computed) ^ np.isnan(reference)
    infinite = np.isinf(computed) | np.isinf(reference)
    error = np.where(infinite, np.inf, error)
    error = np.where(computed == reference, if_equal, np.where(both_nan, 0.0, error))
    return np.where(one_nan, np.nan, error)
