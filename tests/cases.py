"""Inputs and expectations that several test files share."""

import functools

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stable_softmax import BF16, E4M3, E5M2, FP16, FP32, FP64

MAIN_FORMATS = [FP64, FP32, FP16, BF16]
ALL_FORMATS = [*MAIN_FORMATS, E5M2, E4M3]
INF, NAN = np.inf, np.nan


@functools.cache
def ordinary_logits(fmt, rows=50, n=10):
    """Return seeded normal logits, rounded to the format: the inputs are then exact."""
    x = np.random.default_rng(0).normal(size=(rows, n)).astype(fmt.dtype)
    x.setflags(write=False)
    return x


def vectors(low=-1000.0, high=1000.0, max_size=12):
    """Hypothesis strategy: finite float64 logits."""
    return hnp.arrays(
        np.float64,
        st.integers(1, max_size),
        elements=st.floats(low, high, allow_subnormal=False),
    )


def whole_vectors(limit=1000, max_size=12):
    """Hypothesis strategy: logits that are whole numbers, so that adding one is exact."""
    return hnp.arrays(
        np.float64, st.integers(1, max_size), elements=st.integers(-limit, limit).map(float)
    )
