"""The last layer of a language model and its loss as one function, without the logits.

The logits of all tokens over a large vocabulary are the largest array of a training step. Here
they exist a tile at a time: some tokens, some classes. If a tile has all classes, the gradients are
computed while its logits are at hand. Otherwise the maximum and the sum of each token are carried
from tile to tile, and the gradients compute the logits once more.

The functions take NumPy arrays and PyTorch tensors, and PyTorch's autograd passes through
`vocabulary_loss`. Formats shorter than float32 are converted a tile at a time, and every sum is
formed in float32 at least.
"""

import functools
import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import is_numpy_namespace, is_torch_namespace

from ..arrays import as_label, as_number, as_real, as_samples, at_least_float32, namespace
from ..exact_numbers import count
from ..extras import needs

_TILE = 1 << 18  # logits at a time: 1 MB of float32
_MOST_TOKENS = 512  # of a tile, so that it is wide enough for a fast product


class Sums(NamedTuple):
    """What is carried from tile to tile, one number for each token.

    Parameters
    ----------
    m : array, shape (tokens,)
        The largest logit so far.
    s : array, shape (tokens,)
        The sum of exp(x - m).
    at_label : array, shape (tokens,)
        The logit of the label, and 0 before it was met.
    weighted : array, shape (tokens,), or None
        For smoothed labels the sum of (x - m) times the weights of the classes.
    """

    m: Any
    s: Any
    at_label: Any
    weighted: Any = None


@dataclass(frozen=True, eq=False)
class Task:
    """Checked arguments: the loss of what, and which loss.

    Parameters
    ----------
    hidden : array, shape (tokens, d)
        Of the tokens that count.
    weights : array, shape (classes, d)
    bias : array, shape (classes,), or None
    labels : int64 array, shape (tokens,)
        Outside of this part, below 0 or too large, where the class is with another process.
    class_weights : array, shape (classes,), or None
    label_weights : array, shape (tokens,), or None
        The class weight of each label.
    label_smoothing, z_loss : float
    soft_cap : float or None
    tile : tuple of int
        Tokens and classes.
    all_classes : int
        More than those of `weights` where these are a part.
    all_weights : float
        The sum of the weights of all classes.
    counted : int64 array or None
        Which of the given tokens count; None is all.
    shape : tuple of int
        Of the given hidden states.
    divisors : tuple of float
        What the sum of the losses and that of the z-losses are divided by.
    """

    hidden: Any
    weights: Any
    bias: Any
    labels: Any
    class_weights: Any
    label_weights: Any
    label_smoothing: float
    z_loss: float
    soft_cap: float | None
    tile: tuple
    all_classes: int
    all_weights: float
    counted: Any
    shape: tuple
    divisors: tuple = (1.0, 1.0)

    @property
    def rows(self):
        """The slices of tokens; one that is empty if there is none."""
        return _slices(self.hidden.shape[0], self.tile[0])

    @property
    def columns(self):
        """The slices of classes."""
        return _slices(self.weights.shape[0], self.tile[1])

    def of(self, rows):
        """Return the same task for some of its tokens."""
        k = None if self.label_weights is None else self.label_weights[rows]
        return replace(self, hidden=self.hidden[rows], labels=self.labels[rows], label_weights=k)

    def detached(self):
        """Return the same task without PyTorch's graph."""
        names = "hidden", "weights", "bias", "class_weights", "label_weights"
        arrays = {name: getattr(self, name) for name in names}
        return replace(
            self, **{n: a.detach() if hasattr(a, "detach") else a for n, a in arrays.items()}
        )


def vocabulary_loss(
    hidden,
    weights,
    labels,
    bias=None,
    *,
    class_weights=None,
    ignore_label=-100,
    label_smoothing=0.0,
    z_loss=0.0,
    soft_cap=None,
    divide_by="weights",
    tile=None,
):
    """Mean cross-entropy of the logits ``hidden @ weights.T + bias``, which are never all there.

    Under PyTorch's autograd, derivatives pass to `hidden`, `weights` and `bias`, once. If a tile
    has all classes, the gradients are computed in the forward pass.

    Source: Hsu et al. 2024 (chunks of tokens); Wijmans et al. 2025 (no logits stored); Chowdhery
    et al. 2023 (z-loss); Gemma Team 2024 (soft cap).

    Parameters
    ----------
    hidden : array_like, shape (..., d)
        What the last layer gets, one row per token. Rows of ignored tokens may hold anything.
    weights : array_like, shape (classes, d)
        In the layout of ``torch.nn.Linear``.
    labels : array_like of int, shape (...)
        Class indices, or `ignore_label`.
    bias : array_like, shape (classes,), optional
        Minus infinity takes a class out of the vocabulary.
    class_weights : array_like, shape (classes,), optional
        Finite and not negative. Derivatives do not pass to them.
    ignore_label : int
        The label of tokens that do not count.
    label_smoothing : float
        Between 0 and 1: the part of the target that is divided evenly among all classes.
    z_loss : float
        At least 0: the factor of the squared log-sum-exp, which is added for each token.
    soft_cap : float, optional
        Positive: each logit x becomes ``soft_cap * tanh(x / soft_cap)``.
    divide_by : {"weights", "tokens"} or float
        The sum of the losses is divided by the weights of the labels, as PyTorch does, by the
        number of tokens that count, or by a positive number: that of all micro-batches, or 1 for
        the sum. The z-losses have no class weights: for "weights" they are divided by the number
        of tokens.
    tile : (int, int), optional
        How many tokens and how many classes are worked on at a time: by default about 250,000
        logits, of at most 512 tokens.

    Returns
    -------
    scalar
        In the dtype of `hidden`, at least float32. 0 if no token counts. inf where the logit of a
        label is -inf, or with smoothing any; nan where a row holds nan or +inf.

    Raises
    ------
    TypeError
        If an array is not real, belongs to another library, or a number is not one.
    ValueError
        If shapes do not fit, or an argument is out of its range.
    """
    options = (class_weights, ignore_label, label_smoothing, z_loss, soft_cap, divide_by, tile)
    task = checked(hidden, weights, labels, bias, *options)
    arrays = task.hidden, task.weights, task.bias
    if any(getattr(a, "requires_grad", False) for a in arrays):
        return _autograd_function().apply(*arrays, task)
    return loss_of(task, sums_of(task))


def vocabulary_loss_and_gradients(hidden, weights, labels, bias=None, **options):
    """Mean cross-entropy of a last layer, and its gradients, without autograd.

    Other parameters and errors: see `vocabulary_loss`.

    Parameters
    ----------
    **options
        The keywords of `vocabulary_loss`.

    Returns
    -------
    loss : scalar
    gradients : tuple of arrays
        Of `hidden`, `weights` and, if there is one, `bias`: in their shapes and dtypes.
    """
    known = vocabulary_loss.__kwdefaults__
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(known)}")
    task = checked(hidden, weights, labels, bias, **(known | options)).detached()
    loss, gradients = loss_and_gradients_of(task)
    return loss, finished(task, gradients)


def loss_and_gradient_from_logits(x, labels, *, ignore_label=-100, out=None):
    """Mean cross-entropy of logits that are there, and its gradient, a few rows at a time.

    Beside the gradient it needs one MB, or one row if that is more, for the exponentials.

    Parameters
    ----------
    x : array_like, shape (tokens, classes)
        Logits.
    labels : array_like of int, shape (tokens,)
        Class indices, or `ignore_label`.
    ignore_label : int
        The label of tokens that do not count.
    out : array, optional
        Gets the gradient: of the library, shape and dtype of the logits. It may be `x` itself.

    Returns
    -------
    loss : scalar
        At least float32; 0 if no token counts.
    gradient : array, shape and dtype of x
        `out`, if it was given.

    Raises
    ------
    TypeError, ValueError
        See `cross_entropy_shifted`; also if `x` has not two axes, or `out` does not fit.
    """
    ignore_label = as_label(ignore_label)
    x, labels, _ = as_samples(x, labels, -1, ignore_label)
    xp = _numpy_or_torch(x)
    x = x.detach() if is_torch_namespace(xp) else x
    if x.ndim != 2:
        raise ValueError(f"x must have shape (tokens, classes), not {tuple(x.shape)}")
    out = xp.empty_like(x) if out is None else out
    if type(out) is not type(x) or out.shape != x.shape or out.dtype != x.dtype:
        raise ValueError("out must be an array of the library, shape and dtype of x")
    number = max(int(xp.sum(xp.astype(labels != ignore_label, xp.int64))), 1)
    total = _zeros(x, ())
    for rows in _slices(x.shape[0], max(1, _TILE // x.shape[1])):
        total = total + _write_gradient(x[rows], labels[rows], ignore_label, number, out[rows], xp)
    return xp.asarray(total / number, dtype=at_least_float32(x[:0]).dtype)[()], out


def _write_gradient(x, labels, ignore_label, number, out, xp):
    """Write the gradient of a few rows, and return the sum of their losses."""
    counts = labels != ignore_label
    i, ignored = xp.nonzero(counts)[0], xp.nonzero(~counts)[0]
    z = at_least_float32(x)
    m = xp.max(z, axis=-1, keepdims=True)
    z = z - xp.where(m == -math.inf, xp.zeros_like(m), m)
    at_label = z[i, labels[i]]
    e = _exp_in_place(z, xp)
    s = xp.sum(e, axis=-1, keepdims=True)
    s = xp.where(xp.isfinite(m), s, xp.full_like(s, math.nan))
    e /= s * number
    e[i, labels[i]] -= 1 / number
    e[ignored] = 0
    out[...] = xp.astype(e, out.dtype, copy=False)
    return xp.sum(xp.log(s)[i, 0] - at_label)


def sums_of(task):
    """Return the `Sums` of all tokens: one pass over the tiles, no logits kept."""
    return _joined([_sums_of_rows(task.of(rows))[0] for rows in task.rows])


def loss_of(task, sums):
    """Return the loss of all tokens, given their `Sums`."""
    xp, (d_loss, d_z), e = namespace(sums.m), task.divisors, task.label_smoothing
    log_sum = xp.log(_sum_or_nan(sums, xp))
    losses = log_sum - (sums.at_label - sums.m)
    if task.label_weights is not None:
        counts = task.label_weights != 0  # 0 times inf is nan
        losses = xp.where(counts, losses, xp.zeros_like(losses)) * task.label_weights
    if e:
        smooth = (log_sum * task.all_weights - sums.weighted) / task.all_classes
        losses = (1 - e) * losses + e * smooth
    loss = xp.sum(losses) / d_loss
    if task.z_loss:
        loss = loss + task.z_loss * xp.sum((sums.m + log_sum) ** 2) / d_z
    return xp.asarray(loss, dtype=sums.m.dtype)[()]


def loss_and_gradients_of(task):
    """Return the loss and the gradients; each logit is computed once if a tile has all classes."""
    gradients, parts = _zero_gradients(task), []
    for rows in task.rows:
        sums, x = _sums_of_rows(task.of(rows))
        _add_gradients(task.of(rows), sums, gradients, rows, x)
        parts.append(sums)
    return loss_of(task, _joined(parts)), gradients


def gradients_of(task, sums):
    """Return the gradients of a task whose `Sums` are known; the logits are computed again."""
    gradients = _zero_gradients(task)
    for rows in task.rows:
        part = Sums(*(None if v is None else v[rows] for v in sums))
        _add_gradients(task.of(rows), part, gradients, rows)
    return gradients


def finished(task, gradients):
    """Return gradients in the shapes and dtypes of what they belong to, 0 for ignored tokens."""
    dh, dw, db = gradients
    if task.counted is not None:
        every = _zeros(dh, (math.prod(task.shape[:-1]), task.shape[-1]))
        every[task.counted] = dh
        dh = every
    xp = namespace(dh)
    dh = xp.astype(xp.reshape(dh, task.shape), task.hidden.dtype, copy=False)
    dw = xp.astype(dw, task.weights.dtype, copy=False)
    return (dh, dw) if db is None else (dh, dw, xp.astype(db, task.bias.dtype, copy=False))


def checked(
    hidden,
    weights,
    labels,
    bias,
    class_weights,
    ignore_label,
    label_smoothing,
    z_loss,
    soft_cap,
    divide_by,
    tile,
    part=None,
):
    """Return the `Task` of all arguments.

    Other parameters and errors: see `vocabulary_loss`.

    Parameters
    ----------
    part : (int, int), optional
        The first class of `weights` and the number of all classes, if it has a part of them.
    """
    hidden, weights = as_real(hidden, "hidden"), as_real(weights, "weights")
    xp = _numpy_or_torch(hidden, weights)
    if hidden.ndim < 1 or weights.ndim != 2 or hidden.shape[-1] != weights.shape[1]:
        raise ValueError(
            f"hidden must have shape (..., d) and weights (classes, d), not {tuple(hidden.shape)} "
            f"and {tuple(weights.shape)}"
        )
    n = weights.shape[0]
    first, all_classes = (0, n) if part is None else part
    if n == 0:
        raise ValueError("weights has no class: give at least one")
    bias = None if bias is None else _per_class(bias, "bias", weights, xp)
    if class_weights is not None:
        class_weights = _per_class(class_weights, "class_weights", weights, xp)
        if not bool(xp.all(xp.isfinite(class_weights) & (class_weights >= 0))):
            raise ValueError("class_weights must be finite and not negative")
    ignore_label = as_label(ignore_label)
    like = xp.broadcast_to(_zeros(weights, ()), (*hidden.shape[:-1], all_classes))
    labels = xp.reshape(as_samples(like, labels, -1, ignore_label)[1], (-1,))
    tokens, counted = xp.reshape(hidden, (-1, hidden.shape[-1])), None
    if bool(xp.any(labels == ignore_label)):
        counted = xp.nonzero(labels != ignore_label)[0]
        tokens, labels = tokens[counted], labels[counted]
    label_smoothing = as_number(label_smoothing, "label_smoothing", 0)
    if label_smoothing > 1:
        raise ValueError(f"label_smoothing must be at most 1, not {label_smoothing}")
    if soft_cap is not None:
        soft_cap = as_number(soft_cap, "soft_cap")
        if not 0 < soft_cap < math.inf:
            raise ValueError(f"soft_cap must be positive and finite, not {soft_cap}")
    task = Task(
        hidden=tokens,
        weights=weights,
        bias=bias,
        labels=labels - first,
        class_weights=class_weights,
        label_weights=None,
        label_smoothing=label_smoothing,
        z_loss=as_number(z_loss, "z_loss", 0),
        soft_cap=soft_cap,
        tile=_tile(tile, tokens.shape[0], n),
        all_classes=all_classes,
        all_weights=n if class_weights is None else float(xp.sum(class_weights)),
        counted=counted,
        shape=tuple(hidden.shape),
    )
    if class_weights is not None:
        task = replace(task, label_weights=_weights_of_labels(task, xp))
    if part is None:
        return replace(task, divisors=divisors(task, divide_by))
    return task


def divisors(task, divide_by):
    """Return what the sums of the losses and of the z-losses are divided by; 1 in place of 0."""
    tokens = float(max(task.hidden.shape[0], 1))
    if divide_by == "tokens":
        return tokens, tokens
    if divide_by == "weights":
        k = task.label_weights
        return (tokens if k is None else float(namespace(k).sum(k)) or 1.0), tokens
    if isinstance(divide_by, str):
        raise ValueError(f'divide_by must be "weights", "tokens" or a number, not {divide_by!r}')
    number = as_number(divide_by, "divide_by")
    if not 0 < number < math.inf:
        raise ValueError(f"divide_by must be positive and finite, not {number}")
    return number, number


@functools.cache
def _autograd_function():
    with needs("frameworks"):
        import torch

    class VocabularyLoss(torch.autograd.Function):
        """The loss of a `Task`; what is kept for the backward pass is a few numbers per token."""

        @staticmethod
        def forward(ctx, hidden, weights, bias, task):
            task = task.detached()
            ctx.at_once = len(task.columns) == 1
            if ctx.at_once:  # all logits of a tile are there: do not compute them again
                loss, kept = loss_and_gradients_of(task)
            else:
                kept = sums_of(task)
                loss = loss_of(task, kept)
            ctx.save_for_backward(hidden, weights, bias, *kept)
            ctx.task = replace(task, hidden=None, weights=None, bias=None)
            return loss

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, upstream):
            hidden, weights, bias, *kept = ctx.saved_tensors
            task = replace(ctx.task, hidden=hidden, weights=weights, bias=bias)
            found = kept if ctx.at_once else gradients_of(task, Sums(*kept))
            arrays = hidden, weights, bias
            return *[
                None if g is None else (g * upstream).to(a.dtype)
                for g, a in zip(found, arrays, strict=True)
            ], None

    return VocabularyLoss


def _sums_of_rows(task):
    """Return the sums of some tokens, and their logits if one tile has all classes."""
    xp, columns = namespace(task.hidden), task.columns
    sums = _nothing(task, xp)
    for part in columns:
        x = _logits(task, part)
        i, j = _labels_in(task, part, xp)
        sums.at_label[i] = x[i, j]
        m = xp.maximum(sums.m, xp.max(x, axis=-1))
        shift = xp.where(m == -math.inf, xp.zeros_like(m), m)  # not -inf - (-inf)
        z = x if len(columns) > 1 else x + 0  # the gradient needs an only tile
        z -= shift[:, None]
        old = sums.m - shift
        weighted = sums.weighted
        if task.label_smoothing:
            weighted = weighted + _weighted(z, task, part, xp)
            if part.start and (before := _weight_before(task, part)):
                weighted = weighted + old * before
        s = sums.s * xp.exp(old) + xp.sum(_exp_in_place(z, xp), axis=-1)
        sums = Sums(m, s, sums.at_label, weighted)
    return sums, x if len(columns) == 1 else None


def _nothing(task, xp):
    """Return the sums of no class."""
    like = at_least_float32(task.hidden[:0])
    zeros = [_zeros(like, (task.hidden.shape[0],)) for _ in range(4)]
    return Sums(zeros[0] - math.inf, *zeros[1:])


def _joined(parts):
    """Return the sums of all tokens from those of some."""
    xp = namespace(parts[0].m)
    return parts[0] if len(parts) == 1 else Sums(*map(xp.concat, zip(*parts, strict=True)))


def _sum_or_nan(sums, xp):
    return xp.where(xp.isfinite(sums.m), sums.s, xp.full_like(sums.s, math.nan))


def _add_gradients(task, sums, gradients, rows, x=None):
    """Add what some tokens give to the gradients, a tile at a time."""
    xp, (dh, dw, db) = namespace(task.hidden), gradients
    (d_loss, d_z), e = task.divisors, task.label_smoothing
    k = xp.ones_like(sums.m) if task.label_weights is None else task.label_weights
    factor = ((1 - e) * k + e * task.all_weights / task.all_classes) / d_loss  # of p
    if task.z_loss:
        factor = factor + 2 * task.z_loss / d_z * (sums.m + xp.log(sums.s))
    factor = (factor / _sum_or_nan(sums, xp))[:, None]
    shift = xp.where(sums.m == -math.inf, xp.zeros_like(sums.m), sums.m)[:, None]
    h = at_least_float32(task.hidden)
    for part in task.columns:
        x = _logits(task, part) if x is None else x
        slope = None if task.soft_cap is None else 1 - (x / task.soft_cap) ** 2
        x -= shift
        g = _exp_in_place(x, xp)
        g *= factor
        if e:
            even = 1.0 if task.class_weights is None else task.class_weights[part]
            g -= e / task.all_classes / d_loss * even
        i, j = _labels_in(task, part, xp)
        g[i, j] -= (1 - e) / d_loss * k[i]
        if slope is not None:
            g *= slope
        dh[rows] += g @ at_least_float32(task.weights[part])
        dw[part] += g.T @ h
        if db is not None:
            db[part] += xp.sum(g, axis=0)
        x = None


def _logits(task, part):
    x = at_least_float32(task.hidden) @ at_least_float32(task.weights[part]).T
    if task.bias is not None:
        x += task.bias[part]
    if task.soft_cap is not None:
        x = task.soft_cap * namespace(x).tanh(x / task.soft_cap)
    return x


def _labels_in(task, part, xp):
    """Return the tokens whose label is in a tile, and its column there."""
    i = xp.nonzero((task.labels >= part.start) & (task.labels < part.stop))[0]
    return i, task.labels[i] - part.start


def _weighted(z, task, part, xp):
    """Return the sum of (x - m) times the weights of the classes of a tile."""
    if task.class_weights is None:
        return xp.sum(z, axis=-1)
    k = task.class_weights[part]
    return xp.sum(xp.where(k == 0, xp.zeros_like(z), z) * k, axis=-1)


def _weight_before(task, part):
    """Return the sum of the weights of all classes before a tile."""
    k = task.class_weights
    return part.start if k is None else float(namespace(k).sum(k[: part.start]))


def _weights_of_labels(task, xp):
    """Return the weight of each label, and 0 where the class is with another process."""
    found = _zeros(task.class_weights, (task.labels.shape[0],))
    i, j = _labels_in(task, slice(0, task.weights.shape[0]), xp)
    found[i] = task.class_weights[j]
    return found


def _exp_in_place(z, xp):
    return z.exp_() if is_torch_namespace(xp) else np.exp(z, out=z)


def _zero_gradients(task):
    """Return zeros for the gradients, which are added up in float32 at least."""
    arrays = task.hidden, task.weights, task.bias
    return [None if a is None else _zeros(a, tuple(a.shape)) for a in arrays]


def _zeros(like, shape):
    """Return zeros beside another array, in float32 at least."""
    xp = namespace(like)
    where = {"device": like.device} if is_torch_namespace(xp) else {}
    wide = like.dtype if getattr(like.dtype, "itemsize", 4) >= 4 else xp.float32
    return xp.zeros(shape, dtype=wide, **where)


def _per_class(values, name, weights, xp):
    """Return one number for each class, in float32 at least."""
    values = as_real(values, name)
    if type(weights) is np.ndarray:
        values = np.asarray(values, dtype=weights.dtype) if type(values) is np.ndarray else values
    if namespace(values) is not xp:
        raise TypeError(f"{name} must be of the library of weights")
    if tuple(values.shape) != (weights.shape[0],):
        raise ValueError(
            f"{name} must have one number for each class, shape {(weights.shape[0],)}, not "
            f"{tuple(values.shape)}"
        )
    return at_least_float32(values)


def _numpy_or_torch(*arrays):
    xp = namespace(arrays[0])
    if any(namespace(a) is not xp for a in arrays):
        raise TypeError("hidden and weights must be of one library")
    if not (is_numpy_namespace(xp) or is_torch_namespace(xp)):
        raise TypeError("the loss of a vocabulary takes NumPy arrays and PyTorch tensors")
    return xp


def _tile(tile, tokens, classes):
    """Return how many tokens and classes are worked on at a time."""
    if tile is None:
        rows = max(1, min(tokens, _MOST_TOKENS))
        return rows, max(1, min(classes, _TILE // rows))
    if not isinstance(tile, tuple) or len(tile) != 2:
        raise TypeError(f"tile must be two numbers, of tokens and of classes, not {tile!r}")
    return count(tile[0], "the tokens of tile"), count(tile[1], "the classes of tile")


def _slices(size, step):
    return [slice(i, min(i + step, size)) for i in range(0, max(size, 1), step)]
