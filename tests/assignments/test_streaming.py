"""What right and wrong answers earn: a loss for two classes, and a log-sum-exp of pieces."""

import pytest

from tests.assignments.engine import NOTHING, VISIBLE_ONLY, earned, table

RIGHT = {
    "streaming-q1": {
        "logaddexp": """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    return np.exp(-gamma * np.logaddexp(0, -s)) * np.logaddexp(0, s)
""",
        "expm1": """
def focal_loss(x, y, gamma):
    s = x * (1 - 2 * y).astype(x.dtype)
    loss = np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))
    return (-np.expm1(-loss)) ** gamma * loss
""",
    },
    "streaming-q2": {
        "one number after the other": """
def lse_update(state, chunk):
    m, r = state
    for v in chunk[chunk > -np.inf].tolist():
        m, r = (v, (1 + r) * np.exp(m - v)) if v > m else (m, r + np.exp(v - m))
    return m, r

def lse_result(state):
    return state[0] + np.log1p(state[1])
""",
        "a state of arrays without axes": """
def lse_update(state, chunk):
    m, r = state
    for v in chunk[chunk > -np.inf]:
        higher = v > m
        with np.errstate(invalid="ignore", over="ignore"):
            r = np.where(higher, (1 + r) * np.exp(m - v), r + np.exp(v - m))
        m = np.where(higher, v, m)
    return m, r

def lse_result(state):
    return state[0] + np.log1p(state[1])
""",
    },
}
MAXIMUM_AND_SUM = """
def lse_update(state, chunk):
    m = np.max(chunk, initial=state[0])
    if m == -np.inf:
        return state
    return m, state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk - m))
"""  # what many call the online softmax
WRONG = {
    "streaming-q1": {
        "naive": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    p = 1 / (1 + np.exp(-x))
    p = np.where(y == 1, p, 1 - p)
    return (1 - p) ** gamma * -np.log(p)
""",
        ),
        "epsilon": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    e = np.exp(-np.abs(x))
    p = np.where(x >= 0, 1, e) / (1 + e)
    p = np.where(y == 1, p, 1 - p)
    return (1 - p) ** gamma * -np.log(p + 1e-12)
""",
        ),
        "clipped": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.clip(np.where(y == 1, -x, x), -80, 80)
    return (1 / (1 + np.exp(-s))) ** gamma * np.log1p(np.exp(s))
""",
        ),
        "log(1 + e) instead of log1p": (
            VISIBLE_ONLY,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    e = np.exp(-np.abs(s))
    return (np.where(s >= 0, 1, e) / (1 + e)) ** gamma * (np.maximum(s, 0) + np.log(1 + e))
""",
        ),
        "the factor as a difference": (
            VISIBLE_ONLY,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    loss = np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))
    return (1 - np.exp(-loss)) ** gamma * loss
""",
        ),
        "the loss of the other label subtracted": (
            VISIBLE_ONLY,
            """
def focal_loss(x, y, gamma):
    e = np.exp(-np.abs(x))
    loss = np.maximum(x, 0) + np.log1p(e) - x * y.astype(x.dtype)
    s = np.where(y == 1, -x, x)
    loss = np.where(x < 0, np.maximum(-x, 0) + np.log1p(e) + x * (1 - y).astype(x.dtype), loss)
    return np.exp(gamma * (s - loss)) * loss
""",
        ),
        "both branches of where": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    loss = np.where(s > 0, s + np.log1p(np.exp(-s)), np.log1p(np.exp(s)))
    wrong = np.where(s > 0, 1 / (1 + np.exp(-s)), np.exp(s) / (1 + np.exp(s)))
    return wrong**gamma * loss
""",
        ),
        "without the factor": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))
""",
        ),
        "the factor of the other class": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    return np.exp(-gamma * np.logaddexp(0, s)) * np.logaddexp(0, s)
""",
        ),
        "float64 for all": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x).astype(float)
    return np.exp(-gamma * np.logaddexp(0, -s)) * np.logaddexp(0, s)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    x[y == 1] *= -1
    return np.exp(-gamma * np.logaddexp(0, -x)) * np.logaddexp(0, x)
""",
        ),
    },
    "streaming-q2": {
        "naive": (
            NOTHING,
            """
def lse_update(state, chunk):
    return state[0], state[1] + np.sum(np.exp(chunk))

def lse_result(state):
    return np.log(state[1])
""",
        ),
        "maximum and sum": (
            VISIBLE_ONLY,
            MAXIMUM_AND_SUM
            + """
def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
        "maximum and sum, with log1p of the sum minus 1": (
            VISIBLE_ONLY,
            MAXIMUM_AND_SUM
            + """
def lse_result(state):
    return state[0] + np.log1p(state[1] - 1) if state[1] else -np.inf
""",
        ),
        "the result so far as the state": (
            VISIBLE_ONLY,
            """
def lse_update(state, chunk):
    return np.logaddexp(state[0], np.logaddexp.reduce(chunk, initial=-np.inf)), 0.0

def lse_result(state):
    return state[0]
""",
        ),
        "the first maximum for ever": (
            VISIBLE_ONLY,
            """
def lse_update(state, chunk):
    m = state[0] if state[0] > -np.inf else np.max(chunk, initial=-np.inf)
    if m == -np.inf:
        return state
    return m, state[1] + np.sum(np.exp(chunk - m))

def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
        "the old sum not rescaled": (
            NOTHING,
            """
def lse_update(state, chunk):
    m = np.max(chunk, initial=state[0])
    return (m, state[1] + np.sum(np.exp(chunk - m))) if m > -np.inf else state

def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
        "no empty chunks": (
            NOTHING,
            """
def lse_update(state, chunk):
    m = max(state[0], chunk.max())
    return m, state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk - m))

def lse_result(state):
    return state[0] + np.log(state[1])
""",
        ),
        "all the numbers as the state": (
            NOTHING,
            """
def lse_update(state, chunk):
    return (*state[:-1], *chunk, 0.0)

def lse_result(state):
    from stable_softmax import logsumexp_log1p
    return logsumexp_log1p(np.array(state[:-1]))
""",
        ),
        "all the numbers in an array of the state": (
            NOTHING,
            """
def lse_update(state, chunk):
    return np.append(state[0], chunk), 0.0

def lse_result(state):
    from stable_softmax import logsumexp_log1p
    return logsumexp_log1p(np.atleast_1d(state[0]))
""",
        ),
        "a memory outside of the state": (
            VISIBLE_ONLY,
            """
def lse_update(state, chunk):
    global seen
    seen = np.append([] if state == (-np.inf, 0.0) else seen, chunk)
    return float(len(seen)), 1.0

def lse_result(state):
    from stable_softmax import logsumexp_log1p
    return logsumexp_log1p(np.append(seen, -np.inf))
""",
        ),
        "the chunk overwritten": (
            NOTHING,
            """
def lse_update(state, chunk):
    m = np.max(chunk, initial=state[0])
    if m == -np.inf:
        return state
    chunk -= m
    return m, state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk))

def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
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


@pytest.mark.parametrize("question", ["streaming-q1", "streaming-q2"])
def test_every_question_is_tried_with_naive_and_with_half_right_answers(question):
    earns = [expected for expected, _ in WRONG[question].values()]
    assert len(earns) >= 5 and VISIBLE_ONLY in earns
    assert WRONG[question]["naive"][0] == NOTHING
