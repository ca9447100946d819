"""Short formats: what rounding a logit costs, which step of a loss bears it, and loss scaling."""

import numpy as np

from ..arrays import check_labels, take_label
from ..exact_numbers import exact_numbers, float_numbers, positive_number
from ..floating_point import format_of_arrays, rounded_numbers, ulp

#: The steps of a loss, from the last layer to the mean over the batch, in their order.
STEPS = ("operands", "product", "logits", "exponentials", "sum", "losses", "mean")


def odds_change(x, fmt):
    """How much rounding one logit to a format can change the odds of its class.

    Rounding moves a logit by at most half an ulp, which multiplies the odds p / (1 - p) by at
    most ``exp(ulp / 2)``; the probability itself changes by no larger a factor.

    Parameters
    ----------
    x : array_like of float, any shape
        Sizes of the logit; they need not be numbers of the format.
    fmt : dtype, Format or str
        The format in which the logit is stored; TF32, which stores nothing, is refused.

    Returns
    -------
    numpy.ndarray of float64, shape of x
        The largest relative change, ``exp(ulp(x) / 2) - 1``. inf where x leaves the format (it
        becomes inf or nan there) and at infinities; nan for nan.

    Raises
    ------
    TypeError
        If `x` is not real, or the format is not one of this book, or stores no arrays.
    """
    x = float_numbers(x)
    stored = rounded_numbers(x, fmt)
    change = np.expm1(ulp(x, fmt) / 2)
    return np.where(np.isfinite(stored) | np.isnan(x), change, np.inf)


def gradient_in_format(gradient, fmt, scale=1.0):
    """Pass a gradient through a short format with loss scaling, and take the scale off again.

    Source: Micikevicius et al. 2018.

    Parameters
    ----------
    gradient : array_like of float, any shape
        The exact gradient.
    fmt : dtype, Format or str
        The format in which the scaled gradient is stored.
    scale : float
        The factor on the loss, and so on its gradient; positive. The division is exact for a
        power of two.

    Returns
    -------
    numpy.ndarray of float32, shape of gradient
        ``round(gradient * scale) / scale``: 0 where the scaled entry underflows, inf (nan in
        e4m3) where it overflows; nan for nan.

    Raises
    ------
    TypeError
        As `odds_change`.
    ValueError
        If `scale` is not one positive, finite number.
    """
    scale = positive_number(scale, "scale")
    scaled = rounded_numbers(float_numbers(gradient, "gradient") * scale, fmt)
    return scaled.astype(np.float32) / np.float32(scale)


def losses_in_format(hidden, weights, labels, fmt, steps=STEPS):
    """Cross-entropy of a last layer, with chosen steps in a short format and the rest in float64.

    Parameters
    ----------
    hidden : array_like of float, shape (samples, k)
        The inputs of the last layer.
    weights : array_like of float, shape (k, n)
        Its weights, for n classes.
    labels : array_like of int, shape (samples,)
    fmt : dtype, Format or str
        The short format.
    steps : collection of str
        The steps in the short format, from `STEPS`: "operands" rounds `hidden` and `weights`;
        "product", "sum" and "mean" round after each addition, term by term; "logits",
        "exponentials" and "losses" round the finished values.

    Returns
    -------
    losses : numpy.ndarray of float64, shape (samples,)
        nan, with NumPy's warning, where a logit overflows the short format.
    mean : float
        Their mean over the batch; nan, with a warning, for no samples.

    Raises
    ------
    TypeError
        As `odds_change`, for `hidden` and `weights`; or if labels are not integers.
    ValueError
        If `steps` holds an unknown name, or the shapes or the labels do not fit.
    """
    fmt, given = format_of_arrays(fmt), isinstance(steps, list | tuple | set | frozenset)
    if not given or not all(step in STEPS for step in steps):
        raise ValueError(f"there is no step {steps!r}; give a list of names from {STEPS}")
    format_at = {step: fmt if step in steps else "fp64" for step in STEPS}
    h = rounded_numbers(exact_numbers(hidden, "hidden"), format_at["operands"])
    w = rounded_numbers(exact_numbers(weights, "weights"), format_at["operands"])
    if not (h.ndim == w.ndim == 2 and h.shape[1] == w.shape[0] > 0 and w.shape[1]):
        raise ValueError(
            f"hidden of shape {h.shape} and weights of shape {w.shape} do not fit: give them the "
            "shapes (samples, k) and (k, n), with k and n at least 1"
        )
    products = (h[:, i, None] * w[i] for i in range(w.shape[0]))
    x = rounded_numbers(_add_up(products, format_at["product"]), format_at["logits"])
    z = x - np.max(x, axis=1, keepdims=True)
    s = _add_up(rounded_numbers(np.exp(z), format_at["exponentials"]).T, format_at["sum"])
    losses = np.log(s) - take_label(z, check_labels(labels, x))
    losses = rounded_numbers(losses, format_at["losses"])
    return losses, float(_add_up(losses, format_at["mean"]) / losses.size)


def _add_up(terms, fmt):
    """Sum term by term, rounding each term and each partial sum to the format.

    The sum in float64 of two numbers of a shorter format has so many bits that rounding it gives
    the number nearest to the exact sum.
    """
    total = np.float64(0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        for term in terms:
            total = rounded_numbers(total + rounded_numbers(term, fmt), fmt)
    return total
