"""What right and wrong answers earn: a loss with label smoothing, and its gradient."""

import pytest

from tests.assignments.engine import NOTHING, VISIBLE_ONLY, earned, table

RIGHT = {
    "smoothing-q1": {
        "weights": """
def smoothed_loss(x, labels, alpha):
    n, labeled = x.shape[1], labels[:, None] >= 0
    t = np.where(np.arange(n) == labels[:, None], 1 - alpha + alpha / n, alpha / n)
    t = np.where(labeled, t, 0).astype(x.dtype)
    return -np.sum(t * log_softmax_log1p(np.where(labeled, x, 0)), axis=1)
""",
        "log1p written out": """
def smoothed_loss(x, labels, alpha):
    loss = np.zeros(len(x), dtype=x.dtype)
    for i in np.flatnonzero(labels >= 0):
        z = x[i] - x[i].max()
        rest = np.sum(np.exp(np.delete(z, z.argmax())))
        loss[i] = np.log1p(rest) - (1 - alpha) * z[labels[i]] - alpha * z.mean()
    return loss
""",
    },
    "smoothing-q2": {
        "only the samples with a label": """
def smoothed_gradient(x, labels, alpha):
    from stable_softmax import cross_entropy_gradient_complement
    g, rows = np.zeros_like(x), np.flatnonzero(labels >= 0)
    if rows.size:
        g[rows] = cross_entropy_gradient_complement(x[rows], labels[rows]) - alpha / x.shape[1]
        g[rows, labels[rows]] += alpha
    return g
""",
    },
}
WRONG = {
    "smoothing-q1": {
        "naive": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    e = np.exp(x)
    log_p = np.log(e / e.sum(axis=1, keepdims=True))
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "epsilon": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = np.log(softmax_shifted(np.where(labels[:, None] < 0, 0, x)) + 1e-7)
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "clipped": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = np.log(np.clip(softmax_shifted(np.where(labels[:, None] < 0, 0, x)), 1e-12, 1))
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "shifted, without log1p": (
            VISIBLE_ONLY,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "the maximum added back too early": (
            VISIBLE_ONLY,
            """
def smoothed_loss(x, labels, alpha):
    from stable_softmax import logsumexp_log1p
    x = np.where(labels[:, None] < 0, 0, x)
    at_label = x[np.arange(len(x)), labels]
    loss = logsumexp_log1p(x) - (1 - alpha) * at_label - alpha * x.mean(axis=1)
    return np.where(labels < 0, 0, loss)
""",
        ),
        "zero times nan": (
            VISIBLE_ONLY,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(x)
    at_label = log_p[np.arange(len(x)), labels]
    return (-(1 - alpha) * at_label - alpha * log_p.mean(axis=1)) * (labels >= 0)
""",
        ),
        "-1 is the last class": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(x)
    at_label = log_p[np.arange(len(x)), labels]
    return -(1 - alpha) * at_label - alpha * log_p.mean(axis=1)
""",
        ),
        "alpha shared by the other classes only": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(np.where(labels[:, None] < 0, 0, x))
    at_label, n = log_p[np.arange(len(x)), labels], x.shape[1]
    others = (log_p.sum(axis=1) - at_label) / (n - 1)
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * others)
""",
        ),
        "the mean of the batch": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(np.where(labels[:, None] < 0, 0, x))
    at_label = log_p[np.arange(len(x)), labels]
    loss = -(1 - alpha) * at_label - alpha * log_p.mean(axis=1)
    return np.mean(loss[labels >= 0])
""",
        ),
        "float64 for all, by a function of the package": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    from stable_softmax.special_values import cross_entropy_soft
    n, labeled = x.shape[1], labels[:, None] >= 0
    t = ((1 - alpha) * np.eye(n)[labels] + alpha / n) * labeled
    return cross_entropy_soft(x.astype(float), t)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    x[labels < 0] = 0
    log_p = log_softmax_log1p(x)
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
    },
    "smoothing-q2": {
        "naive": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    e = np.exp(x)
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    g = e / e.sum(axis=1, keepdims=True) - (1 - alpha) * y - alpha / x.shape[1]
    return np.where(labels[:, None] < 0, 0, g)
""",
        ),
        "p - y at the label": (
            VISIBLE_ONLY,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    return np.where(labels[:, None] < 0, 0, p - (1 - alpha) * y - alpha / x.shape[1])
""",
        ),
        "zero times nan": (
            VISIBLE_ONLY,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(x)
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    others = p * (1 - y)
    g = others - y * others.sum(axis=1, keepdims=True) + alpha * (y - 1 / x.shape[1])
    return g * (labels[:, None] >= 0)
""",
        ),
        "without the smoothing": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    return np.where(labels[:, None] < 0, 0, p - y)
""",
        ),
        "the weight of the label forgets its part of alpha": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    n = x.shape[1]
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(n) == labels[:, None]).astype(x.dtype)
    return np.where(labels[:, None] < 0, 0, p - (1 - alpha) * y - alpha / n * (1 - y))
""",
        ),
        "divided by the number of samples": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    others = p * (1 - y)
    g = others - y * others.sum(axis=1, keepdims=True) + alpha * (y - 1 / x.shape[1])
    return np.where(labels[:, None] < 0, 0, g / len(x))
""",
        ),
        "-1 is the last class": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    g = softmax_shifted(x) - alpha / x.shape[1]
    g[np.arange(len(x)), labels] -= 1 - alpha
    return g
""",
        ),
        "float64 for all": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    y = np.eye(x.shape[1])[labels]
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    others = p * (1 - y)
    g = others - y * others.sum(axis=1, keepdims=True) + alpha * (y - 1 / x.shape[1])
    return np.where(labels[:, None] < 0, 0, g)
""",
        ),
        "finite differences": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    g, h = np.zeros_like(x), 1e-5
    def loss(z, label):
        log_p = log_softmax_log1p(z)
        return -(1 - alpha) * log_p[label] - alpha * log_p.mean()
    for i in np.flatnonzero(labels >= 0):
        for j in range(x.shape[1]):
            e = h * (np.arange(x.shape[1]) == j)
            g[i, j] = (loss(x[i] + e, labels[i]) - loss(x[i] - e, labels[i])) / (2 * h)
    return g
""",
        ),
    },
}


@table(RIGHT)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_another_right_answer_earns_everything(question, answer, seed):
    assert earned(question, answer, seed) == [True, True]


@table(WRONG)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_answer_earns_what_it_deserves(question, answer, seed):
    expected, code = answer
    assert earned(question, code, seed) == [expected == VISIBLE_ONLY, False]


@pytest.mark.parametrize("question", ["smoothing-q1", "smoothing-q2"])
def test_every_question_is_tried_with_naive_and_with_half_right_answers(question):
    earns = [expected for expected, _ in WRONG[question].values()]
    assert len(earns) >= 5 and VISIBLE_ONLY in earns
    assert WRONG[question]["naive"][0] == NOTHING
