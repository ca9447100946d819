"""The defects of `stable_softmax.pitfalls`, asserted as defects."""

import numpy as np
import pytest

from stable_softmax.pitfalls import softmax_in_place, softmax_unpromoted


def test_the_in_place_softmax_changes_the_array_of_its_caller():
    x = np.array([1000.0, 1000.0, 100.0])
    np.testing.assert_array_equal(softmax_in_place(x), [0.5, 0.5, 0.0])
    np.testing.assert_array_equal(x, [0, 0, -900])


def test_the_in_place_softmax_raises_for_read_only_and_boolean_arrays():
    x = np.array([1.0, 2.0])
    x.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        softmax_in_place(x)
    with pytest.raises(TypeError):
        softmax_in_place(np.array([True, False]))


def test_the_unpromoted_softmax_wraps_around():
    with np.errstate(all="ignore"):
        p = softmax_unpromoted(np.array([0, 200, 255], np.uint8))
        q = softmax_unpromoted(np.array([-(2**63), 2**63 - 1], np.int64))
    assert np.isnan(p).any()
    np.testing.assert_allclose(q, [0.731, 0.269], atol=1e-3)
