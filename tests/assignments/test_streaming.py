"""What right and wrong answers earn: a loss for two classes, and a running log-sum-exp."""

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
        "cumulative sums, shifted at each new maximum": """
def running_lse(state, chunk):
    m, r = state
    results = np.full(len(chunk), m + np.log1p(r))
    top = np.maximum.accumulate(np.append(m, chunk))
    starts = [*(np.flatnonzero(top[1:] > top[:-1])), len(chunk)]
    if m > -np.inf and starts[0]:
        sums = r + np.cumsum(np.exp(chunk[: starts[0]] - m))
        results[: starts[0]], r = m + np.log1p(sums), sums[-1]
    for i, j in zip(starts, starts[1:]):
        r, m = (1 + r) * np.exp(m - chunk[i]) if m > -np.inf else 0.0, chunk[i]
        sums = r + np.append(0.0, np.cumsum(np.exp(chunk[i + 1 : j] - m)))
        results[i:j], r = m + np.log1p(sums), sums[-1]
    return (m, r), results
""",
        "a state of arrays without axes": """
def running_lse(state, chunk):
    (m, r), results = map(np.asarray, state), []
    for v in chunk:
        higher = v > m
        with np.errstate(invalid="ignore", over="ignore"):
            new = np.where(higher, (1 + r) * np.exp(m - v), r + np.exp(v - m))
        m, r = np.where(higher, v, m), np.where(v > -np.inf, new, r)
        results.append(m + np.log1p(r))
    return (m, r), np.array(results, dtype=float)
""",
        "a list of results": """
def running_lse(state, chunk):
    (m, r), results = state, []
    for v in chunk.tolist():
        if v > -np.inf:
            m, r = (v, (1 + r) * np.exp(m - v)) if v > m else (m, r + np.exp(v - m))
        results.append(m + np.log1p(r))
    return (m, r), results
""",
    },
}
ONE_BY_ONE = """
def running_lse(state, chunk):
    m, s = state
    results = np.empty(len(chunk))
    for k, x in enumerate(chunk):
        top = max(m, x)
        if top > -np.inf:
            m, s = top, s * np.exp(m - top) + np.exp(x - top)
        results[k] = RESULT
    return (m, s), results
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
def running_lse(state, chunk):
    s = state[1] + np.cumsum(np.exp(chunk))
    return (0.0, s[-1] if len(s) else state[1]), np.log(s)
""",
        ),
        "maximum and sum": (
            VISIBLE_ONLY,
            ONE_BY_ONE.replace("RESULT", "m + np.log(s) if s else -np.inf"),
        ),
        "maximum and sum, with log1p of the sum minus 1": (
            VISIBLE_ONLY,
            ONE_BY_ONE.replace("RESULT", "m + np.log1p(s - 1) if s else -np.inf"),
        ),
        "the result so far as the state": (
            VISIBLE_ONLY,
            """
def running_lse(state, chunk):
    results = np.logaddexp.accumulate(np.append(state[0], chunk))
    return (results[-1], 0.0), results[1:]
""",
        ),
        "one shift for the whole chunk": (
            VISIBLE_ONLY,
            """
def running_lse(state, chunk):
    m = np.max(chunk, initial=state[0])
    if m == -np.inf:
        return state, np.full(len(chunk), -np.inf)
    s = np.cumsum(np.append(state[1] * np.exp(state[0] - m), np.exp(chunk - m)))
    return (m, s[-1]), m + np.log(s[1:])
""",
        ),
        "the first maximum for ever": (
            VISIBLE_ONLY,
            """
def running_lse(state, chunk):
    m, s = state
    results = np.empty(len(chunk))
    for k, x in enumerate(chunk):
        if x > -np.inf:
            m = m if m > -np.inf else x
            s += np.exp(x - m)
        results[k] = m + np.log(s) if s else -np.inf
    return (m, s), results
""",
        ),
        "the old sum not rescaled": (
            NOTHING,
            """
def running_lse(state, chunk):
    m, s = state
    results = np.empty(len(chunk))
    for k, x in enumerate(chunk):
        if x > -np.inf:
            m = max(m, x)
            s += np.exp(x - m)
        results[k] = m + np.log(s) if s else -np.inf
    return (m, s), results
""",
        ),
        "no guard for -inf": (
            NOTHING,
            """
def running_lse(state, chunk):
    m, r = state
    results = np.empty(len(chunk))
    for k, x in enumerate(chunk):
        m, r = (x, (1 + r) * np.exp(m - x)) if x > m else (m, r + np.exp(x - m))
        results[k] = m + np.log1p(r)
    return (m, r), results
""",
        ),
        "one result for each chunk": (
            NOTHING,
            """
def running_lse(state, chunk):
    m = np.max(chunk, initial=state[0])
    if m == -np.inf:
        return state, m
    s = state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk - m))
    return (m, s), m + np.log(s)
""",
        ),
        "all the numbers as the state": (
            NOTHING,
            """
def running_lse(state, chunk):
    from stable_softmax import logsumexp_log1p
    seen = [*state[:-1], *chunk]
    results = [logsumexp_log1p(np.array(seen[: k + 1])) for k in range(len(state) - 1, len(seen))]
    return (*seen, 0.0), np.array(results, dtype=float)
""",
        ),
        "all the numbers in an array of the state": (
            NOTHING,
            """
def running_lse(state, chunk):
    from stable_softmax import logsumexp_log1p
    seen = np.append(state[0], chunk)
    first = len(seen) - len(chunk)
    results = [logsumexp_log1p(seen[: k + 1]) for k in range(first, len(seen))]
    return (seen, 0.0), np.array(results, dtype=float)
""",
        ),
        "a memory outside of the state": (
            VISIBLE_ONLY,
            """
def running_lse(state, chunk):
    global seen
    from stable_softmax import logsumexp_log1p
    seen = np.append([-np.inf] if state == (-np.inf, 0.0) else seen, chunk)
    first = len(seen) - len(chunk)
    results = [logsumexp_log1p(seen[: k + 1]) for k in range(first, len(seen))]
    return (float(len(seen)), 1.0), np.array(results, dtype=float)
""",
        ),
        "a memory whose key is the state": (
            VISIBLE_ONLY,
            """
def running_lse(state, chunk):
    from stable_softmax import logsumexp_log1p
    known = globals().setdefault("known", {(-np.inf, 0.0): np.array([-np.inf])})
    seen = np.append(known[state], chunk)
    first = len(seen) - len(chunk)
    results = [logsumexp_log1p(seen[: k + 1]) for k in range(first, len(seen))]
    state = (float(len(known)), 1.0)
    known[state] = seen
    return state, np.array(results, dtype=float)
""",
        ),
        "the chunk overwritten": (
            NOTHING,
            """
def running_lse(state, chunk):
    m, r = state
    for k, x in enumerate(chunk):
        if x > m:
            m, r = x, (1 + r) * np.exp(m - x)
        elif x > -np.inf:
            r = r + np.exp(x - m)
        chunk[k] = m + np.log1p(r)
    return (m, r), chunk
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
