"""Softmax: the literal definition, and the forms that survive large logits.

The functions run on NumPy, PyTorch, JAX, dask and other libraries that follow the array-API
standard, and derivatives flow through them; a table in the book (:ref:`array-libraries`) says
which functions run where. What a row with infinities or nan becomes is the same for all.
"""

from .arrays import as_logits
from .logsumexp import logsumexp_shifted


def softmax_naive(x, axis=-1):
    """Softmax as it is defined: exponentials divided by their sum.

    Correct while ``exp(x)`` and the sum stay inside the format; outside it returns nan, zeros or
    inaccurate probabilities. It is here to be studied.

    Returns: probabilities: the shape of `x`, its floating-point dtype. A logit of -inf gives 0;
    +inf or nan anywhere in a row gives nan there (for +inf only at that entry, zero elsewhere); a
    row of -inf gives nan.

    Parameters and errors: see `softmax_shifted`.

    Source: Bridle 1990 (the name); Goodfellow, Bengio & Courville 2016, section 4.1 (the failure).
    """
    x, axis, xp = as_logits(x, axis)
    e = xp.exp(x)
    return e / xp.sum(e, axis=axis, keepdims=True)


def softmax_shifted(x, axis=-1):
    """Softmax of the logits minus their maximum: no overflow, no 0/0.

    The sum is formed in the format of the logits. It counts nearly tied classes up to 65,519 in
    float16; NumPy, which adds in the format itself, up to 256 in bfloat16, 16 in e4m3, 8 in e5m2,
    and 2,048 in float16 along another axis than the last. Beyond, the result is wrong or 0:
    ``…_wider`` counts in float64.

    Source: Blanchard, Higham & Higham 2021.

    Parameters
    ----------
    x : array_like, any shape
        Logits. Integers and booleans are promoted to the default float.
    axis : int, tuple of int or None
        The class axis or axes.

    Returns
    -------
    array
        Probabilities: the shape of `x`, its floating-point dtype. For finite logits every entry
        is in [0, 1]. A logit of -inf gives 0; +inf or nan in a row, or a row of -inf, gives nan
        in the whole row; one class gives 1.

    Raises
    ------
    TypeError, ValueError
        See `stable_softmax.arrays.as_logits`: not real, a masked array, no such axis, no classes.
    """
    x, axis, xp = as_logits(x, axis)
    m = xp.max(x, axis=axis, keepdims=True)
    e = xp.exp(x - m)
    return e / xp.sum(e, axis=axis, keepdims=True)


def softmax_from_logsumexp(x, axis=-1):
    """Softmax without a division: exp(x - lse).

    The rounding error of ``x - lse`` is magnified by exp: the result loses accuracy in
    proportion to the size of the logits.

    Returns: probabilities: the shape of `x`, its floating-point dtype. -inf gives 0; nan in a row
    gives nan in the whole row; +inf gives nan there and 0 elsewhere; a row of -inf gives nan.

    Parameters and errors: see `softmax_shifted`.

    Source: Blanchard, Higham & Higham 2021 ("division-free").
    """
    x, axis, xp = as_logits(x, axis)
    return xp.exp(x - logsumexp_shifted(x, axis=axis, keepdims=True))
