"""The forward algorithm of a hidden Markov model: a sum over all paths, step by step.

A hidden state moves by a table of transition probabilities, and at each step something is observed
whose probability depends on the state. The probability of all observations is a sum over the
paths that the state may have taken. Its terms are products, one factor longer with each step. Four
ways to compute its logarithm agree on paper.

Derivatives flow through all of them. Formats shorter than float32 are computed in float32.
"""

import math

from ..arrays import as_real, at_least_float32, namespace_of_all


def forward_naive(start, transitions, likelihoods):
    """Log-likelihood by the recurrence as it is defined, on the probabilities themselves.

    They shrink with each step. It is here to be studied.

    Returns: what `forward_log` returns while the probabilities are normal numbers; -inf when all
    of them have underflowed to 0, with NumPy's warning of a logarithm of 0.

    Parameters and errors: see `forward_log`.

    Source: Rabiner 1989, equations 19 to 21.
    """
    start, transitions, likelihoods, xp = _checked(start, transitions, likelihoods)
    p = start * likelihoods[..., 0, :]
    for t in range(1, likelihoods.shape[-2]):
        p = xp.matmul(p, transitions) * likelihoods[..., t, :]
    return xp.log(xp.sum(p, axis=-1))


def forward_log(start, transitions, likelihoods):
    """Log-likelihood by the recurrence on logarithms, a log-sum-exp at each step.

    Nothing underflows. The logarithms grow with the number of steps, and with them their rounding
    errors, which are relative errors of the probabilities.

    Parameters
    ----------
    start : array_like, shape (states,)
        The probability of each state at the first step.
    transitions : array_like, shape (states, states)
        In row i, the probabilities of the states that may follow state i.
    likelihoods : array_like, shape (..., steps, states)
        The probability of what was observed at each step, in each state, or its density; at least
        one step. Every sequence of a batch has all the steps.

    Returns
    -------
    array, shape (...)
        In nats; the longest dtype of the arguments, and at least float32. -inf for observations
        that no path allows. A number that is negative, infinite or nan counts as nan, and makes
        the result nan. Rows need not sum to 1.

    Raises
    ------
    TypeError
        If an argument is not real, or the arrays are of two libraries.
    ValueError
        If the shapes do not fit, or there is no state or no step.
    """
    start, transitions, likelihoods, xp = _checked(start, transitions, likelihoods)
    a, move, seen = (log_or_infinite(p, xp) for p in (start, transitions, likelihoods))
    a = a + seen[..., 0, :]
    for t in range(1, seen.shape[-2]):
        a = log_sum(a[..., :, None] + move, -2, xp) + seen[..., t, :]
    return log_sum(a, -1, xp)


def step_log_probabilities(start, transitions, likelihoods):
    """Log-probability of each observation, given all those before it.

    The probabilities of the states are divided by their sum at each step, so that they stay near 1.
    The sums are what is wanted.

    Returns: shape (..., steps), the dtype of `forward_log`; their sum is the log-likelihood. -inf
    where a step cannot be, and also where the states that could explain it have fallen so far
    behind the others that they underflowed; after it, -inf.

    Parameters and errors: see `forward_log`.

    Source: Rabiner 1989, section V.A.
    """
    start, transitions, likelihoods, xp = _checked(start, transitions, likelihoods)
    p, totals = start, []
    for t in range(likelihoods.shape[-2]):
        p = (p if t == 0 else xp.matmul(p, transitions)) * likelihoods[..., t, :]
        total = xp.sum(p, axis=-1, keepdims=True)
        totals.append(total)
        p = p / xp.where(total == 0, xp.ones_like(total), total)
    return log_or_infinite(xp.concat(totals, axis=-1), xp)


def forward_scaled(start, transitions, likelihoods):
    """Log-likelihood by the recurrence on probabilities that are divided by their sum at each step.

    Returns: the sum of `step_log_probabilities`, in their dtype.

    Parameters and errors: see `forward_log`.

    Source: Rabiner 1989, section V.A.
    """
    parts = step_log_probabilities(start, transitions, likelihoods)
    return namespace_of_all(parts=parts).sum(parts, axis=-1)


def forward_shifted(start, transitions, likelihoods):
    """Log-likelihood by the recurrence on logarithms, relative to the largest at each step.

    What is near the largest is a small number with small rounding errors, and what is far behind
    cannot underflow: the best of `forward_log` and `forward_scaled`, at the cost of the first.

    Returns: what `forward_log` returns.

    Parameters and errors: see `forward_log`.
    """
    start, transitions, likelihoods, xp = _checked(start, transitions, likelihoods)
    a, move, seen = (log_or_infinite(p, xp) for p in (start, transitions, likelihoods))
    shifts = []
    for t in range(seen.shape[-2]):
        a = (a if t == 0 else log_sum(a[..., :, None] + move, -2, xp)) + seen[..., t, :]
        a, shift = shifted(a, xp)
        shifts.append(shift)
    return xp.sum(xp.concat(shifts, axis=-1), axis=-1) + log_sum(a, -1, xp)


def log_sum(a, axis, xp):
    """Return the logarithm of a sum of exponentials along one axis.

    Unlike `stable_softmax.logsumexp.logsumexp_shifted` it never takes the logarithm of 0, so that
    a sum of nothing is -inf without a warning, and has the gradient 0.

    Parameters
    ----------
    a : array
    axis : int
    xp : module
        The namespace of `a`.
    """
    m = finite(xp.max(a, axis=axis, keepdims=True), xp)
    return xp.squeeze(m, axis=axis) + log_or_infinite(xp.sum(xp.exp(a - m), axis=axis), xp)


def shifted(a, xp):
    """Return logarithms minus the largest of a row, and that one; 0 where it is not finite."""
    m = finite(xp.max(a, axis=-1, keepdims=True), xp)
    return a - m, m


def finite(m, xp):
    """Return the maxima, but 0 where they are infinite or nan: inf - inf would be nan."""
    return xp.where(xp.isfinite(m), m, xp.zeros_like(m))


def log_or_infinite(p, xp):
    """Return the logarithm, and -inf for 0 without a warning and without a gradient of nan."""
    is_zero = p == 0
    logarithm = xp.log(xp.where(is_zero, xp.ones_like(p), p))
    return xp.where(is_zero, xp.full_like(p, -math.inf), logarithm)


def _checked(start, transitions, likelihoods):
    """Return the three tables in one dtype of at least float32, and their namespace."""
    names = ("start", "transitions", "likelihoods")
    given = zip((start, transitions, likelihoods), names, strict=True)
    tables = [at_least_float32(as_real(table, name)) for table, name in given]
    xp = namespace_of_all(**dict(zip(names, tables, strict=True)))
    shapes = [tuple(table.shape) for table in tables]
    n = shapes[0][-1:]
    if len(shapes[0]) != 1 or shapes[1] != n * 2 or len(shapes[2]) < 2 or shapes[2][-1:] != n:
        raise ValueError(
            "start, transitions and likelihoods must have the shapes (states,), (states, states) "
            f"and (..., steps, states), not {shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    if 0 in shapes[2][-2:]:
        raise ValueError(f"give at least one step and one state: likelihoods has {shapes[2]}")
    dtype = xp.result_type(*tables)
    nan = math.nan
    tables = [xp.astype(p, dtype) for p in tables]
    return *(xp.where((p >= 0) & (p < math.inf), p, xp.full_like(p, nan)) for p in tables), xp
