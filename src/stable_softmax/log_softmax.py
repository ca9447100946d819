"""Log-softmax: the logarithm of the probabilities, from the worst way to the best one."""

from array_api_compat import device

from .arrays import as_logits, as_number, namespace
from .logsumexp import logsumexp_log1p, logsumexp_naive, logsumexp_shifted
from .softmax import softmax_naive, softmax_shifted


def log_softmax_naive(x, axis=-1):
    """Logarithm of the naive softmax: log(exp(x) / sum(exp(x))).

    Returns: log-probabilities: the shape of `x`, its floating-point dtype; nan where
    `softmax_naive` is nan, -inf where it is 0.

    Parameters and errors: see `softmax_shifted`.
    """
    p = softmax_naive(x, axis)
    return namespace(p).log(p)


def log_softmax_two_step(x, axis=-1):
    """Logarithm of the shifted softmax: a correct softmax first, the logarithm second.

    A probability that underflows to 0 becomes -inf here, although its logarithm is an ordinary
    number, and one that rounds to 1 becomes 0.

    Returns: log-probabilities: the shape of `x`, its floating-point dtype; nan where
    `softmax_shifted` is nan, -inf where it is 0.

    Parameters and errors: see `softmax_shifted`.
    """
    p = softmax_shifted(x, axis)
    return namespace(p).log(p)


def log_softmax_epsilon(x, axis=-1, epsilon=1e-7):
    """Logarithm of the shifted softmax plus a small constant: the fix everyone tries.

    Never -inf (while `epsilon` does not vanish in the format), but wrong for every probability
    that is not large against `epsilon`, and its gradient vanishes there.

    Returns: ``log(p + epsilon)``: the shape of `x`, its floating-point dtype; nan where
    `softmax_shifted` is nan.

    Other parameters and errors: see `softmax_shifted`.

    Source: chapter ``epsilon``; used in the articles and inside several frameworks.

    Parameters
    ----------
    epsilon : float
        The constant, at least 0; TypeError or ValueError if not. In float16, 1e-8 rounds to 0.
    """
    epsilon, p = as_number(epsilon, "epsilon", 0), softmax_shifted(x, axis)
    xp = namespace(p)
    return xp.log(p + xp.full_like(p, epsilon))


def log_softmax_clamped(x, axis=-1, epsilon=1e-7):
    """Logarithm of the shifted softmax, where no probability is taken smaller than epsilon.

    Exact for ``p >= epsilon``; below, the value is constant and the gradient is zero.

    Returns: ``log(max(p, epsilon))``: the shape of `x`, its floating-point dtype; nan where
    `softmax_shifted` is nan.

    Other parameters and errors: see `softmax_shifted`.

    Parameters
    ----------
    epsilon : float
        The smallest probability, at least 0 like that of `log_softmax_epsilon`.
    """
    epsilon, p = as_number(epsilon, "epsilon", 0), softmax_shifted(x, axis)
    xp = namespace(p)
    floor = xp.full_like(p, epsilon)
    return xp.log(xp.where(p < floor, floor, p))


def log_softmax_from_logsumexp(x, axis=-1):
    """Log-softmax as x - (m + log(s)): the right formula in the wrong order.

    The sum ``m + log(s)`` is rounded to the spacing of m, so a common offset of the logits,
    which should not matter, destroys the digits of ``log(s)``.

    Returns: log-probabilities: the shape of `x`, its floating-point dtype. -inf gives -inf; nan
    gives nan in the whole row; +inf gives nan there and -inf elsewhere; a row of -inf gives nan.

    Parameters and errors: see `softmax_shifted`.
    """
    x, axis, _ = as_logits(x, axis)
    return x - logsumexp_shifted(x, axis=axis, keepdims=True)


def log_softmax_shifted(x, axis=-1):
    """Log-softmax as (x - m) - log(sum(exp(x - m))): finite, and blind to a common offset.

    Returns: log-probabilities: the shape of `x`, its floating-point dtype, never positive. -inf
    gives -inf; +inf or nan in a row, or a row of -inf, gives nan in the whole row; one class gives
    0. -inf also where ``x - m`` itself overflows, or the sum (see `softmax_shifted`).

    Parameters and errors: see `softmax_shifted`.

    Source: Blanchard, Higham & Higham 2021.
    """
    x, axis, xp = as_logits(x, axis)
    z = x - xp.max(x, axis=axis, keepdims=True)
    return z - logsumexp_naive(z, axis=axis, keepdims=True)


def log_softmax_log1p(x, axis=-1):
    """Log-softmax with the largest terms left out of the sum: the sure class keeps its digits.

    Returns what `log_softmax_shifted` returns.

    Parameters and errors: see `softmax_shifted`.

    Source: Blanchard, Higham & Higham 2021; SciPy issue 19521 (open: SciPy returns 0 there).
    """
    x, axis, xp = as_logits(x, axis)
    z = x - xp.max(x, axis=axis, keepdims=True)
    return z - logsumexp_log1p(z, axis=axis, keepdims=True)


def log_softmax_jacobian(x):
    """Jacobian of log-softmax: the identity minus the probabilities in every row, I - 1 pᵀ.

    Parameters
    ----------
    x : array_like, shape (n,)
        Logits of one sample.

    Returns
    -------
    array, shape (n, n)
        Entry (i, j) is the derivative of log p_i with respect to x_j, in the dtype of `x`.
        nan everywhere where `softmax_shifted` is nan.

    Raises
    ------
    ValueError
        If `x` is not one-dimensional or is empty.
    TypeError
        If `x` is not real.
    """
    x, _, xp = as_logits(x)
    if x.ndim != 1:
        raise ValueError(f"x must be one sample of shape (n,), not {tuple(x.shape)}")
    return xp.astype(xp.eye(x.shape[0], device=device(x)), x.dtype) - softmax_shifted(x)
