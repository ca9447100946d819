"""Attention: a softmax of scores between two matrix products, with the scores stored or not.

Each query q gets a weighted mean of the values v. The weights are the softmax of its scores
``scale * (q . k)`` with all keys k, and a mask hides keys from queries. `attention_naive` is the
definition in three lines, in the format of its arguments. `attention_blocked` reads keys and
values once, block by block, under a running maximum, and `attention_gradient` goes the same way
back: neither stores more scores than those of one block. Keep in mind that a query sees nan if it
sees a key or a value that is nan, or if another query of the same batch sees such a value.
"""

import math

from array_api_compat import array_namespace, device

from ..arrays import as_mask, as_number, as_real, at_least_float32, namespace_of_all
from ..exact_numbers import count
from ..special_values import softmax_filled

_INF = math.inf


def attention_naive(q, k, v, mask=None, scale=None):
    """Attention as it is defined: scores, their softmax, and a weighted mean of the values.

    All scores are stored, in the format of the arguments, and they are scaled after the product,
    which may have overflowed. It is here to be studied.

    Returns: one mean for each query, shape (..., queries, width), the dtype of the arguments. A
    query that sees no key gets nan, and so does every query where a value is nan or infinite.

    Parameters and errors: see `attention_blocked`, without `block`.

    Source: Vaswani et al. 2017, equation 1.
    """
    q, k, v, mask, scale, xp = _checked(q, k, v, mask, scale)
    scores = _product(q, xp.matrix_transpose(k), xp) * _like(scale, q, xp)
    weights = softmax_filled(scores, mask, -_INF)
    return _product(weights, v, xp)


def attention_blocked(q, k, v, mask=None, scale=None, block=64):
    """Attention in blocks of keys, under a running maximum, without the matrix of scores.

    The queries are scaled before the product. Formats shorter than float32 are computed in
    float32, and rounded once. Keys that no query of their batch sees, and their values, may hold
    anything: they are replaced by zeros before anything is computed.

    Source: Rabe & Staats 2021 (the running sum of values); Dao et al. 2022 (queries scaled).

    Parameters
    ----------
    q : array_like, shape (..., queries, d)
        Queries. Integers are promoted to the default float.
    k : array_like, shape (..., keys, d)
        Keys, at least one; the dtype, library and leading axes of `q`.
    v : array_like, shape (..., keys, width)
        Values; the same.
    mask : array_like of bool, optional
        True where a query sees a key; broadcast to (..., queries, keys). Default: everywhere.
    scale : float, optional
        The factor of the scores. Default: ``1 / sqrt(d)``.
    block : int
        How many keys are read at a time: from 1 to all of them.

    Returns
    -------
    array, shape (..., queries, width)
        One mean for each query, in the dtype of the arguments. A query that sees no key gets
        zeros: a score of -inf is masked by itself. A score that is +inf or nan, of a key that is
        seen, makes the result of its query nan.

    Raises
    ------
    TypeError
        If an argument is not real, the dtypes or libraries differ, the mask is not boolean,
        `scale` is not a number or `block` not an int.
    ValueError
        If the shapes do not fit, there is no key, `scale` is nan, or `block` is not positive.
    """
    q, k, v, mask, scale, xp = _checked(q, k, v, mask, scale)
    z_q, *others = _prepared(q, k, v, mask, scale, xp)
    out, _, _ = mean_of_blocks(z_q, *others, count(block, "block"))
    return xp.astype(out, q.dtype)


def attention_gradient(q, k, v, upstream, mask=None, scale=None, block=64):
    """Gradients of attention, block by block: the weights are computed again, not stored.

    The forward pass keeps the maximum m and the sum s of each query, two numbers. The weights are
    then ``exp(score - m) / s``. To keep their log-sum-exp alone would save a number, and cost the
    digits that `stable_softmax.softmax.softmax_from_logsumexp` loses.

    Other parameters and errors: see `attention_blocked`.

    Source: Dao et al. 2022, appendix B (with the log-sum-exp).

    Parameters
    ----------
    upstream : array_like, shape (..., queries, width)
        The gradient with respect to the result; the dtype and library of `q`.

    Returns
    -------
    dq, dk, dv : arrays
        The gradients with respect to q, k and v, each in its shape and dtype. A query that sees
        no key gets zeros and changes nothing; so does a key that no query sees.
    """
    q, k, v, mask, scale, xp = _checked(q, k, v, mask, scale)
    upstream, dtype = as_real(upstream, "upstream"), q.dtype
    _check_upstream(upstream, q, v)
    q, k, v, mask = _prepared(q, k, v, mask, scale, xp)
    size = count(block, "block")
    out, shift, s = mean_of_blocks(q, k, v, mask, size)
    upstream = at_least_float32(upstream)
    center = xp.sum(upstream * out, axis=-1, keepdims=True)
    dq, dk, dv = xp.zeros_like(q), [], []
    for k_part, v_part, z in _scores(q, k, v, mask, size, xp):
        p = xp.exp(z - shift) / s
        dv.append(xp.matmul(xp.matrix_transpose(p), upstream))
        dz = p * (xp.matmul(upstream, xp.matrix_transpose(v_part)) - center)
        dk.append(xp.matmul(xp.matrix_transpose(dz), q))
        dq = dq + xp.matmul(dz, k_part)
    parts = dq * _like(scale, q, xp), xp.concat(dk, axis=-2), xp.concat(dv, axis=-2)
    return tuple(xp.astype(part, dtype) for part in parts)


def mean_of_blocks(q, k, v, mask, block):
    """Read keys and values once, and rescale the sums so far where the maximum grows.

    The heart of `attention_blocked`, which checks the arguments before.

    Parameters
    ----------
    q, k, v : arrays of at least float32
        Queries that are scaled already, keys and values; shapes as in `attention_blocked`.
    mask : array of bool, shape (..., queries, keys)
    block : int

    Returns
    -------
    out : array, shape (..., queries, width)
        The weighted means.
    shift, s : arrays, shape (..., queries, 1)
        The maximum of the scores and the sum of ``exp(score - shift)`` of each query; 0 and 1 of a
        query that sees no key.
    """
    xp = array_namespace(q, k, v)
    zero = xp.zeros_like(q[..., :1])
    m, s = xp.full_like(zero, -_INF), zero
    out = xp.zeros((*q.shape[:-1], v.shape[-1]), dtype=q.dtype, device=device(q))
    for _, v_part, z in _scores(q, k, v, mask, block, xp):
        top = xp.maximum(m, xp.max(z, axis=-1, keepdims=True))
        shift = xp.where(top == -_INF, zero, top)
        e, kept = xp.exp(z - shift), xp.exp(m - shift)
        s = kept * s + xp.sum(e, axis=-1, keepdims=True)
        out = kept * out + xp.matmul(e, v_part)
        m = top
    s = xp.where(s == 0, xp.ones_like(s), s)
    return out / s, shift, s


def _scores(q, k, v, mask, size, xp):
    """Yield keys, values and masked scores of one block after another."""
    for i in range(0, k.shape[-2], size):
        j = min(i + size, k.shape[-2])
        z = xp.matmul(q, xp.matrix_transpose(k[..., i:j, :]))
        z = xp.where(mask[..., i:j], z, xp.full_like(z, -_INF))
        yield k[..., i:j, :], v[..., i:j, :], z


def _prepared(q, k, v, mask, scale, xp):
    """Return scaled queries, and zeros for keys that no query sees: choose before you compute."""
    q, k, v = map(at_least_float32, (q, k, v))
    seen = xp.any(mask, axis=-2)[..., None]
    k, v = (xp.where(seen, part, xp.zeros_like(part)) for part in (k, v))
    return q * _like(scale, q, xp), k, v, mask


def _product(a, b, xp):
    """Return a matrix product in the format of its factors: NumPy's of bfloat16 is float32."""
    return xp.astype(xp.matmul(a, b), a.dtype)


def _like(number, x, xp):
    return xp.asarray(number, dtype=x.dtype, device=device(x))


def _checked(q, k, v, mask, scale):
    """Return arrays that fit each other, a mask of the shape of the scores, and a factor."""
    q, k, v = as_real(q, "q"), as_real(k, "k"), as_real(v, "v")
    xp = namespace_of_all(q=q, k=k, v=v)
    shapes = [tuple(part.shape) for part in (q, k, v)]
    if not q.dtype == k.dtype == v.dtype:
        raise TypeError(f"q, k and v must have one dtype, not {q.dtype}, {k.dtype} and {v.dtype}")
    if min(map(len, shapes)) < 2:
        raise ValueError(f"q, k and v must have at least two axes, not the shapes {shapes}")
    if not (
        shapes[0][:-2] == shapes[1][:-2] == shapes[2][:-2]
        and shapes[0][-1] == shapes[1][-1]
        and shapes[1][-2] == shapes[2][-2]
    ):
        raise ValueError(
            "q, k and v must have the shapes (..., queries, d), (..., keys, d) and "
            f"(..., keys, width), not {shapes}"
        )
    if 0 in shapes[1][-2:]:
        raise ValueError(
            f"k has the shape {shapes[1]}: give at least one key of at least one number"
        )
    like_scores = xp.zeros((1,) * q.ndim, dtype=q.dtype, device=device(q))
    like_scores = xp.broadcast_to(like_scores, (*shapes[0][:-1], shapes[1][-2]))  # stores one
    mask = as_mask(True if mask is None else mask, like_scores, "the scores", "a key")
    scale = 1 / math.sqrt(shapes[0][-1]) if scale is None else as_number(scale, "scale")
    return q, k, v, mask, scale, xp


def _check_upstream(upstream, q, v):
    namespace_of_all(upstream=upstream, q=q)
    shape = (*q.shape[:-1], v.shape[-1])
    if upstream.dtype != q.dtype:
        raise TypeError(f"upstream must have the dtype of q, {q.dtype}, not {upstream.dtype}")
    if tuple(upstream.shape) != tuple(shape):
        raise ValueError(
            f"upstream must have the shape (..., queries, width), {tuple(shape)}, not "
            f"{tuple(upstream.shape)}"
        )
