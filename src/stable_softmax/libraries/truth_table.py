"""The truth table: what each installed library returns for special values, asked when it is built.

Masks, infinities, nan, empty axes, ignored labels, targets of zero and binary losses, in float32.
"""

import functools
import math
import warnings

import numpy as np
from array_api_compat import array_namespace

from ..cross_entropy import cross_entropy_gradient_complement, cross_entropy_log1p
from ..log_softmax import log_softmax_log1p
from ..logsumexp import logsumexp_log1p
from ..softmax import softmax_shifted
from ..special_values import cross_entropy_soft, mean_cross_entropy, softmax_masked
from .adapters import available_frameworks, gluon_loss, import_mxnet, is_installed
from .autograd import loss_and_gradient

_INF, _NAN = math.inf, math.nan
_LOWEST = float(np.finfo(np.float32).min)


def truth_table(*questions):
    """Ask every installed library for its answer to special inputs, in float32.

    Parameters
    ----------
    *questions : str
        Keys of `CASES`.

    Returns
    -------
    list of [str, str, str, str]
        A row per answer: the question, the input, the answer (rounded to three decimals, or the
        name of the exception), and who gave it. What repeats the row above is left blank.

    Raises
    ------
    ValueError
        If there is no such question.
    """
    _check(*questions)
    rows = []
    for question in questions:
        first = question
        for name, arguments in CASES[question].items():
            answers = answers_to(question, arguments)
            for answer in dict.fromkeys(answers.values()):
                who = [library for library, given in answers.items() if given == answer]
                everyone = 1 < len(answers) == len(who)
                rows.append([first, name, answer, "all" if everyone else ", ".join(who)])
                first = name = ""
    return rows


def answers_to(question, arguments):
    """Return the answer of each library that has the function, as text.

    Parameters
    ----------
    question : str
        A key of `CASES`.
    arguments : tuple of array_like
        The first is turned into float32.

    Returns
    -------
    dict of str to str
        From ``"ours"``, ``"SciPy"``, ``"PyTorch"`` and ``"MXNet"`` to numbers or to the name of
        an exception.

    Raises
    ------
    ValueError
        As `truth_table`.
    """
    _check(question)
    x, *rest = arguments
    arguments = np.asarray(x, dtype=np.float32), *map(np.asarray, rest)
    return {
        name: _answer(functions[question], arguments)
        for name, functions in _libraries().items()
        if question in functions
    }


def _check(*questions):
    for question in questions:
        if question not in CASES:
            known = ", ".join(CASES)
            raise ValueError(f"there is no question {question!r}; the questions are: {known}")


def _answer(function, arguments):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            value = np.asarray(function(*arguments))
        except Exception as error:  # whatever a library raises is its answer
            return type(error).__name__
    numbers = [f"{number:.6g}" for number in np.round(value.astype(np.float64), 3).ravel() + 0.0]
    return numbers[0] if value.ndim == 0 else "[" + ", ".join(numbers) + "]"


def _vector(row):
    return "[" + ", ".join(f"{value:.3g}" for value in row) + "]"


def _sample(row, label):
    return f"{_vector(row)}, label {label}".replace("label -", "label \N{MINUS SIGN}")


_FILLS = [[0, -1e4], [0, -1e9], [0, _LOWEST], [_LOWEST, _LOWEST]]
_ROWS = [[0, -_INF], [-_INF, -_INF], [0, _INF], [0, _NAN], [3.4e38, -3.4e38], []]
_INFINITE = [[_INF, _INF], [_INF, -_INF]]
_SAMPLES = [([0, -_INF], 0), ([0, -_INF], 1), ([-_INF, -_INF], 0), ([0, _INF], 1), ([0, _NAN], 0)]
_WRONG_LABELS = [([0, 1], 2), ([0, 1], -1)]
_TARGETS = [([0, -_INF], [1, 0]), ([0, -_INF], [0.95, 0.05])]
_MASKS = [([0, 1], [True, False]), ([0, _NAN], [True, False]), ([0, 1], [False, False])]
_BINARY = [(-_INF, 0), (-_INF, 1), (_INF, 0), (_INF, 1)]
_BATCHES = {
    "every row is ignored": ([[0, 1]], [-100]),
    "the ignored row is nan": ([[0, 1], [_NAN, _NAN]], [0, -100]),
}
_OF_FILLS = {_vector(row): (row,) for row in _FILLS}
_OF_ROWS = {_vector(row): (row,) for row in _ROWS}
_OF_MASKS = {
    f"{_vector(row)}, keep {'the first' if any(mask) else 'none'}": (row, mask)
    for row, mask in _MASKS
}
_OF_BINARY = {_sample([z], y): ([z], y) for z, y in _BINARY}
#: The inputs of the truth table by question and by name.
#:
#: :meta hide-value:
CASES = {
    "softmax": _OF_FILLS | _OF_ROWS,
    "log-softmax": _OF_ROWS,
    "log-sum-exp": _OF_ROWS | {_vector(row): (row,) for row in _INFINITE},
    "gradient of log-sum-exp": {_vector(row): (row,) for row in _ROWS[:3] + _INFINITE},
    "masked softmax": _OF_MASKS,
    "attention layer": _OF_MASKS,
    "the same layer, asked for its weights": _OF_MASKS,
    "loss": {_sample(x, y): (x, y) for x, y in _SAMPLES + _WRONG_LABELS},
    "gradient": {_sample(x, y): (x, y) for x, y in _SAMPLES},
    "binary loss": _OF_BINARY,
    "gradient of the binary loss": _OF_BINARY,
    "soft loss": {f"{_vector(x)}, targets {_vector(t)}": (x, t) for x, t in _TARGETS},
    "mean loss": _BATCHES,
    "its gradient, last row": _BATCHES,
}


def _libraries():
    """Return for each library its functions by question, all NumPy in and NumPy out."""
    libraries = {"ours": _ours()}
    for name, framework in available_frameworks().items():
        f = framework.functions
        table = {"softmax": f["softmax"], "log-softmax": f["log_softmax"]}
        if "logsumexp" in f:
            table["log-sum-exp"] = f["logsumexp"]
        if "cross_entropy" in f:
            table["loss"] = _of_one_sample(f["cross_entropy"])
            table["gradient"] = _of_one_sample(f["cross_entropy_gradient"])
        more = {"PyTorch": _torch, "MXNet": _mxnet}.get(name, dict)
        libraries[name] = table | more()
    return libraries


def _of_one_sample(function):
    return lambda x, y: function(x[None], y[None])[0]


def _ours():
    table = {
        "softmax": softmax_shifted,
        "log-softmax": log_softmax_log1p,
        "log-sum-exp": logsumexp_log1p,
        "masked softmax": softmax_masked,
        "attention layer": softmax_masked,
        "the same layer, asked for its weights": softmax_masked,
        "binary loss": _softplus_of_the_other,
        "loss": cross_entropy_log1p,
        "gradient": cross_entropy_gradient_complement,
        "soft loss": cross_entropy_soft,
        "mean loss": mean_cross_entropy,
    }
    if is_installed("torch"):  # its autograd finds the gradient
        table["its gradient, last row"] = _last_row_of_gradient(mean_cross_entropy)
        table["gradient of log-sum-exp"] = _gradient(logsumexp_log1p)
        table["gradient of the binary loss"] = _gradient_of_loss(_softplus_of_the_other)
    return table


def _softplus_of_the_other(z, y):
    """Binary loss of a logit: the log-sum-exp of 0 and the logit, its sign changed for label 1."""
    z = (1 - 2 * y) * z
    xp = array_namespace(z)
    return logsumexp_log1p(xp.concat([z, xp.zeros_like(z)]))


def _gradient(function):
    return lambda x: loss_and_gradient(lambda x, _: function(x), x, 0)[1]


def _gradient_of_loss(loss):
    return lambda x, y: loss_and_gradient(loss, x, y)[1]


def _last_row_of_gradient(loss):
    return lambda x, y: loss_and_gradient(loss, x, y)[1][-1]


def _torch():
    import torch
    from torch.nn.functional import (
        binary_cross_entropy_with_logits,
        cross_entropy,
        scaled_dot_product_attention,
    )

    def masked_softmax(x, mask):
        """Attention of the query 1 over the keys x, with the unit vectors as values."""
        query, keys, mask = torch.ones(1, 1), torch.tensor(x)[:, None], torch.tensor(mask)[None]
        return scaled_dot_product_attention(query, keys, torch.eye(x.size), mask, scale=1.0)[0]

    def attention_layer(x, mask, need_weights):
        """Attend with identity matrices for weights, so that the output is the probabilities."""
        n = x.size
        layer, unit = torch.nn.MultiheadAttention(n, 1, bias=False), torch.eye(n)
        layer.load_state_dict({"in_proj_weight": unit.repeat(3, 1), "out_proj.weight": unit})
        query, keys = math.sqrt(n) * unit[:1], torch.tensor(x)[:, None] * unit[0]
        left_out = ~torch.tensor(mask)[None]
        with torch.no_grad():
            return layer(query, keys, unit, attn_mask=left_out, need_weights=need_weights)[0][0]

    def mean_loss(x, targets):
        return cross_entropy(torch.tensor(x), torch.tensor(targets))

    def binary_loss(z, y):
        return binary_cross_entropy_with_logits(z, y.to(z.dtype).reshape(z.shape))

    return {
        "gradient of log-sum-exp": _gradient(lambda x: torch.logsumexp(x, -1)),
        "masked softmax": masked_softmax,
        "attention layer": functools.partial(attention_layer, need_weights=False),
        "the same layer, asked for its weights": functools.partial(
            attention_layer, need_weights=True
        ),
        "binary loss": lambda z, y: binary_loss(torch.tensor(z), torch.tensor(y)),
        "gradient of the binary loss": _gradient_of_loss(binary_loss),
        "soft loss": lambda x, targets: mean_loss(x, targets.astype(x.dtype)),
        "mean loss": mean_loss,
        "its gradient, last row": _last_row_of_gradient(cross_entropy),
    }


def _mxnet():
    mx = import_mxnet()
    gradient_of_sum = available_frameworks()["MXNet"].functions["cross_entropy_gradient"]

    def masked_softmax(x, mask):
        length = mx.nd.array([mask.sum()], dtype="int32")  # it masks all but the first classes
        return mx.nd.softmax(mx.nd.array(x[None]), length=length, use_length=True).asnumpy()[0]

    def binary_loss_and_gradient(z, y):
        loss = mx.gluon.loss.SigmoidBinaryCrossEntropyLoss()  # of logits, as its default says
        z = mx.nd.array(z[None])
        z.attach_grad()
        with mx.autograd.record():
            value = loss(z, mx.nd.array([[y]]))
        value.backward()
        return value.asscalar(), z.grad.asnumpy()[0]

    return {
        "masked softmax": masked_softmax,
        "binary loss": lambda z, y: binary_loss_and_gradient(z, y)[0],
        "gradient of the binary loss": lambda z, y: binary_loss_and_gradient(z, y)[1],
        "soft loss": lambda x, t: gluon_loss(x[None], t[None], sparse_label=False)[0],
        "mean loss": lambda x, y: gluon_loss(x, y).mean(),
        "its gradient, last row": lambda x, y: gradient_of_sum(x, y)[-1] / y.size,
    }
