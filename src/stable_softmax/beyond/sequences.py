"""The probability of a sequence: one factor for each token, as a sum of logarithms.

A token has the probability that a softmax gave it after the tokens before. The product of a
thousand such numbers leaves every format, the sum of their logarithms leaves none. It is formed in
float32 or longer, and returned so: in bfloat16 a sum of -1000 could be rounded by 2, and the
probability by a factor of 7.
"""

from ..arrays import (
    as_label,
    as_number,
    as_samples,
    at_least_float32,
    namespace,
    namespace_of_all,
)
from ..cross_entropy import cross_entropy_log1p


def token_log_probabilities(x, labels, ignore_label=-100):
    """Log-probability of each token of a sequence, from the logits before it.

    Tokens that are ignored become zeros before anything is computed, so their logits may hold
    anything, and have the gradient 0.

    Parameters
    ----------
    x : array_like, shape (..., steps, classes)
        The logits from which each token was drawn. Integers are promoted to the default float.
    labels : array_like of int, shape (..., steps)
        The tokens, from 0 to classes - 1, or `ignore_label`: padding, for example.
    ignore_label : int
        The label of tokens that do not count.

    Returns
    -------
    array, shape (..., steps)
        In nats, in the dtype of `x`, but at least float32; 0 for a token that is ignored. -inf
        where the logit of the token is -inf, and nan where a row holds +inf or nan, or only -inf.

    Raises
    ------
    TypeError
        If `x` is not real, or labels are not integers.
    ValueError
        If `x` has fewer than two axes, the shapes do not fit, or a label is outside of the classes.
    """
    x, labels, _ = as_samples(x, labels, -1, as_label(ignore_label))
    if x.ndim < 2:
        raise ValueError(f"x must have the shape (..., steps, classes), not {tuple(x.shape)}")
    xp = namespace(x)
    counts, z = labels != ignore_label, at_least_float32(x)
    z = xp.where(counts[..., None], z, xp.zeros_like(z))
    losses = cross_entropy_log1p(z, xp.where(counts, labels, xp.zeros_like(labels)))
    zero = xp.zeros_like(losses)
    return xp.where(counts, zero - losses, zero)  # no -0.0


def sequence_log_probability(x, labels, ignore_label=-100):
    """Log-probability of whole sequences: the sum over their tokens.

    Returns: shape (...), in nats, in the dtype of `x`, but at least float32. 0 for a sequence
    without tokens, whose probability is 1; -inf and nan as in `token_log_probabilities`.

    Parameters and errors: see `token_log_probabilities`.
    """
    parts = token_log_probabilities(x, labels, ignore_label)
    return namespace(parts).sum(parts, axis=-1)


def length_normalized_score(x, labels, power=1.0, ignore_label=-100):
    """Log-probability of whole sequences over a power of their length, to compare long and short.

    With a power of 1 it is the mean over the tokens, minus the logarithm of the perplexity; with 0
    it is the log-probability itself.

    Returns: shape (...), the dtype of `sequence_log_probability`; 0 for a sequence without tokens.

    Other parameters and errors: see `token_log_probabilities`.

    Source: Wu et al. 2016, section 7, in a simpler form.

    Parameters
    ----------
    power : float
        At least 0; TypeError or ValueError if not.
    """
    power, label = as_number(power, "power", 0), as_label(ignore_label)
    total = sequence_log_probability(x, labels, ignore_label)
    xp = namespace(total)
    labels = as_samples(x, labels, -1, label)[1]
    steps = xp.sum(xp.astype(labels != label, total.dtype), axis=-1)
    steps = xp.where(steps == 0, xp.ones_like(steps), steps)
    return total / xp.astype(steps**power, total.dtype)


def log_ratio(x, other, labels, ignore_label=-100):
    """Logarithm of the ratio of the probabilities that two models give to the same sequences.

    The differences are formed token by token, where the numbers are small, and then added up. Its
    exponential is the ratio: the weight of a sequence that one of two policies has drawn.

    Returns: shape (...), in nats; the longer dtype of both, and at least float32. 0 for a sequence
    without tokens. inf where only the other model rules a token out, -inf where only the first
    does, nan where both do.

    Other parameters and errors: see `token_log_probabilities`; TypeError also if the arrays are of
    two libraries, ValueError if their shapes differ.

    Source: Schulman et al. 2017, section 3 (the ratio of one token).

    Parameters
    ----------
    x, other : array_like, shape (..., steps, classes)
        The logits of the two models after the same tokens.
    """
    parts = token_log_probabilities(x, labels, ignore_label)
    others = token_log_probabilities(other, labels, ignore_label)
    xp = namespace_of_all(x=parts, other=others)
    return xp.sum(parts - others, axis=-1)
