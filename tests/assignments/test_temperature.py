"""What right and wrong answers earn: a softmax with a temperature, and with a mask."""

import pytest

from tests.assignments.engine import NOTHING, VISIBLE_ONLY, earned, table

RIGHT = {
    "temperature-q1": {
        "log-softmax first": """
def softmax_at(x, T):
    T = np.expand_dims(np.asarray(T, dtype=x.dtype), -1)
    z = (x - x.max(axis=-1, keepdims=True)) / T
    return np.exp(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))
""",
        "in float64 inside": """
def softmax_at(x, T):
    z = x.astype(float)
    z = (z - z.max(axis=-1, keepdims=True)) / np.asarray(T, dtype=float)[..., None]
    return (np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)).astype(x.dtype)
""",
    },
    "temperature-q2": {
        "row by row": """
def masked_softmax_at(x, mask, T):
    p = np.zeros_like(x)
    for i in np.ndindex(x.shape[:-1]):
        z = x[i][mask[i]]
        if z.size:
            e = np.exp((z - z.max()) / T)
            p[i][mask[i]] = e / e.sum()
    return p
""",
        "maximum with where": """
def masked_softmax_at(x, mask, T):
    m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    z = np.where(mask, x, m) - np.where(mask, m, 0)
    e = np.where(mask, np.exp(np.where(mask, z, 0) / T), 0)
    s = e.sum(axis=-1, keepdims=True)
    return np.divide(e, s, out=np.zeros_like(x), where=s > 0)
""",
    },
}
WRONG = {
    "temperature-q1": {
        "naive": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp(x / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "divided before the shift, by a function of the package": (
            VISIBLE_ONLY,
            """
def softmax_at(x, T):
    from stable_softmax import softmax_shifted
    return softmax_shifted(x / np.asarray(T, dtype=x.dtype)[..., None])
""",
        ),
        "one maximum for the batch": (
            VISIBLE_ONLY,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max()) / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "one T for each sample of two axes only": (
            VISIBLE_ONLY,
            """
def softmax_at(x, T):
    T = T[:, None] if np.ndim(T) else T
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "T along the classes": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "the first axis": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max(axis=0)) / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=0)
""",
        ),
        "float64 for all": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / np.asarray(T, dtype=float)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def softmax_at(x, T):
    x -= x.max(axis=-1, keepdims=True)
    e = np.exp(x / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "clipped": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp(np.clip(x / np.asarray(T, dtype=x.dtype)[..., None], -80, 80))
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
    },
    "temperature-q2": {
        "naive": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    e = np.exp(x / T) * mask
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "-1e9": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -1e9)
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "-1e9, and zeros afterwards": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -1e9)
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True) * mask
""",
        ),
        "-inf without care for a row without classes": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -np.inf)
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "the maximum of all classes": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    m = np.nanmax(x, axis=-1, keepdims=True)
    e = np.where(mask, np.exp((x - m) / T), 0)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "one maximum for the batch": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    m = np.max(x, where=mask, initial=-1e300)
    e = np.exp((np.where(mask, x, -np.inf) - m) / T)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "nan times zero": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-1e300)
    e = np.exp(np.minimum((x - m) / T, 0)) * mask
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "masked after the exponential": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    e = np.where(mask, np.exp((x - m) / T), 0)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "divided before the shift, by a function of the package": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    from stable_softmax.special_values import softmax_masked
    return softmax_masked(x / T, mask)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    x[~mask] = -np.inf
    m = np.max(x, axis=-1, keepdims=True)
    e = np.exp((x - np.where(m == -np.inf, 0, m)) / T)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
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


@pytest.mark.parametrize("question", ["temperature-q1", "temperature-q2"])
def test_every_question_is_tried_with_naive_and_with_half_right_answers(question):
    earns = [expected for expected, _ in WRONG[question].values()]
    assert len(earns) >= 5 and VISIBLE_ONLY in earns
    assert WRONG[question]["naive"][0] == NOTHING
