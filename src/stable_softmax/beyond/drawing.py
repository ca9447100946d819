"""Drawing a class from logits, and choosing which classes may be drawn.

`at_temperature`, `top_k` and `nucleus` return logits again, so that they can be chained; a class
that may no longer be drawn has the logit -inf. `draw_inverse_cdf` and `draw_gumbel` draw with the
probabilities of the softmax, and `greedy` takes the largest logit.

The logits may be arrays of any library. What orders, adds or draws is done in float64 by NumPy, so
that a seed gives the same classes for arrays of every library. Ties are never broken by position,
except by `greedy`.
"""

import math

import numpy as np
from array_api_compat import device, is_numpy_array

from ..arrays import (
    as_logits,
    as_mask,
    as_number,
    at_least_float32,
    class_axis,
    from_rows,
    namespace,
    to_rows,
)
from ..exact_numbers import count

_INF = math.inf


def draw_inverse_cdf(x, rng, size=None, axis=-1):
    """Draw classes by a running sum of the exponentials: the first that exceeds a random share.

    Every class with a probability of at least 2**-51 can be drawn; those below may have no place
    of their own in the running sum. The memory needed is a few numbers for each logit and draw.

    Source: Devroye 1986, section III.2 (inversion).

    Parameters
    ----------
    x : array_like, at least one axis
        Logits. Integers and booleans are promoted to the default float; a class with the logit
        -inf is never drawn.
    rng : numpy.random.Generator or int
        Where the random numbers come from, or a seed. A generator moves on with each call.
    size : int, optional
        How many draws for each row, 0 or more; default: one, without an axis of its own.
    axis : int
        The class axis.

    Returns
    -------
    array of int
        Class indices in ``0 .. n-1``, in the library and on the device of `x`: int64 (in JAX its
        default int). The shape of `x` without the class axis; with a size, (size, that shape).

    Raises
    ------
    TypeError
        If `x` is not real or has no values that can be read here, `rng` is neither a generator nor
        a seed, `size` is not an int, or `axis` not one int.
    ValueError
        If there is no class, a row has no distribution because it holds nan, +inf or only -inf,
        `size` is negative, or the axis does not exist.
    """
    x, axis, rows = _checked(x, axis)
    draws = 1 if size is None else count(size, "size", least=0)
    r = _generator(rng).random((draws, len(rows)))
    sums = np.cumsum(_exponentials(rows), axis=1)
    drawn = zip(sums, r.T, strict=True)
    classes = [np.searchsorted(c, r_i * c[-1], side="right") for c, r_i in drawn]
    return _classes(np.reshape(classes, (len(rows), draws)).T, x, size, axis)


def draw_gumbel(x, rng, size=None, axis=-1):
    """Draw classes by noise on the logits: the largest sum of a logit and a Gumbel number.

    There is no sum over the classes. A class that is more than 41 behind the largest logit is not
    drawn, since NumPy's Gumbel numbers lie between -3.7 and 36.8; its probability is below 2e-18.
    The memory needed is 16 bytes for each logit and draw.

    Returns: class indices, as `draw_inverse_cdf`, though other ones for the same seed.

    Parameters and errors: see `draw_inverse_cdf`.

    Source: Maddison, Tarlow & Minka 2014 (Gumbel-max).
    """
    x, axis, rows = _checked(x, axis)
    draws = 1 if size is None else count(size, "size", least=0)
    noise = _generator(rng).gumbel(size=(draws, *rows.shape))
    return _classes(np.argmax(rows + noise, axis=-1), x, size, axis)


def greedy(x, axis=-1):
    """Take the class with the largest logit, and the first of several that are equal.

    Returns: one class index for each row, as `draw_inverse_cdf`.

    Parameters and errors: see `draw_inverse_cdf`, without `rng` and `size`.
    """
    x, axis, rows = _checked(x, axis)
    return _classes(np.argmax(rows, axis=-1), x, None, axis)


def at_temperature(x, temperature, axis=-1):
    """Divide the differences to the largest logit by a temperature of 0 or more.

    The largest logit is subtracted first, so that nothing overflows. At 0, and below the smallest
    normal number of the format, only the largest logits are left: one of them, or several that are
    tied. At infinity all classes are alike, but those of -inf. A negative temperature would put the
    least likely class first; it is refused.

    Parameters
    ----------
    x : array_like, at least one axis
        Logits, as in `draw_inverse_cdf`.
    temperature : float
        At least 0; inf is allowed.
    axis : int
        The class axis.

    Returns
    -------
    array, shape of x
        Logits whose largest is 0, in the dtype of `x` but at least float32. Classes that are more
        than 1000 temperatures behind get -inf: their exponential is 0 in every format. In a row
        without a distribution, nan. Derivatives flow through; at 0 they are 0.

    Raises
    ------
    TypeError, ValueError
        See `draw_inverse_cdf`, except that values are not read; also if `temperature` is not a
        number, is nan, or is negative.
    """
    x, axis, xp = _logits(x, axis)
    z = at_least_float32(x)
    limits = xp.finfo(z.dtype)
    t = _temperature(temperature, float(limits.smallest_normal), float(limits.max))
    d = z - xp.max(z, axis=axis, keepdims=True)
    far = d < -min(1000 * t, float(limits.max))
    near = xp.where(far, xp.zeros_like(d), d) / (t or 1.0)
    return xp.where(far, xp.full_like(d, -_INF), near)


def top_k(x, k, axis=-1):
    """Keep the k largest logits, and those that are tied with the last of them.

    Returns: logits, as `nucleus`.

    Other parameters and errors: see `nucleus`.

    Parameters
    ----------
    k : int
        At least 1: 0, which some libraries take for no limit, is a ValueError. More than there are
        classes keeps all.
    """
    k = count(k, "k")
    x, axis, rows = _checked(x, axis)
    last = max(rows.shape[1] - k, 0)
    threshold = np.partition(rows, last, axis=1)[:, last : last + 1]
    return _kept(rows >= threshold, x, axis)


def nucleus(x, p, axis=-1):
    """Keep the fewest most probable classes with a probability of p together (top-p).

    The running sum starts at the least probable class, where it is small and has digits to spare,
    and drops classes while it is at most 1 - p. Classes that are tied with the last one that is
    kept are kept as well, and the largest logit always is.

    Source: Holtzman et al. 2020.

    Parameters
    ----------
    x : array_like, at least one axis
        Logits, as in `draw_inverse_cdf`.
    p : float
        Above 0 and at most 1; at 1 only classes are dropped whose exponential is 0 in float64.
    axis : int
        The class axis.

    Returns
    -------
    array, shape of x
        The logits that are kept, unchanged, and -inf elsewhere; in the dtype of `x` but at least
        float32. Derivatives flow through what is kept.

    Raises
    ------
    TypeError, ValueError
        See `draw_inverse_cdf`; also if `p` is not a number, or out of range.
    """
    p = _share(p)
    x, axis, rows = _checked(x, axis)
    ascending = np.sort(rows, axis=1)
    sums = np.cumsum(_exponentials(ascending), axis=1)
    dropped = np.sum(sums <= (1 - p) * sums[:, -1:], axis=1, keepdims=True)
    first = np.minimum(dropped, rows.shape[1] - 1)
    return _kept(rows >= np.take_along_axis(ascending, first, axis=1), x, axis)


def _exponentials(rows):
    return np.exp(rows - np.max(rows, axis=1, keepdims=True))


def _logits(x, axis):
    """Return logits, their one class axis, and their namespace."""
    x, _, xp = as_logits(x, axis)
    return x, class_axis(axis, x.ndim), xp


def _checked(x, axis):
    """Return logits, their class axis, and their rows in float64, each with a largest number."""
    x, axis, _ = _logits(x, axis)
    rows = to_rows(x, (axis,))
    if not np.all(np.isfinite(np.max(rows, axis=1))):  # nan is a maximum in NumPy
        raise ValueError(
            "x has a row without a distribution: it holds nan or +inf, or nothing but -inf"
        )
    return x, axis, rows


def _classes(classes, x, size, axis):
    """Return class indices of shape (draws, rows) in the layout and library of the logits."""
    shape = (*x.shape[:axis], *x.shape[axis + 1 :])
    shape = shape if size is None else (len(classes), *shape)
    classes = np.reshape(classes, shape).astype(np.int64)[()]
    return classes if is_numpy_array(x) else namespace(x).asarray(classes, device=device(x))


def _kept(keep, x, axis):
    """Return the logits where they are kept, and -inf elsewhere."""
    z = at_least_float32(x)
    keep = as_mask(from_rows(keep, x, (axis,)), z)
    return namespace(z).where(keep, z, namespace(z).full_like(z, -_INF))


def _generator(rng):
    try:
        if rng is None or isinstance(rng, bool | np.bool_):
            raise TypeError
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(
            "rng must be a numpy.random.Generator or a seed, an int of at least 0, so that the "
            f"draw can be repeated; not {rng!r}"
        ) from None


def _temperature(value, smallest, largest):
    """Return a temperature that the format can hold, or one of its limits, 0 and infinity."""
    t = as_number(value, "temperature")
    if t < 0:
        raise ValueError(
            f"temperature must be at least 0, not {value!r}: to put the least likely class first, "
            "negate the logits"
        )
    return 0.0 if t < smallest else _INF if t > largest else t


def _share(value):
    p = as_number(value, "p")
    if not 0 < p <= 1:
        raise ValueError(f"p must be above 0 and at most 1, not {value!r}")
    return p
