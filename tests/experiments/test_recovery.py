import numpy as np
import pytest

from stable_softmax import (
    cross_entropy_epsilon,
    cross_entropy_gradient_shifted,
    cross_entropy_shifted,
)
from stable_softmax.experiments.recovery import autograd_gradient, samples_behind, steps_to_recover
from tests.cases import INF, NAN


def clamped_gradient(x, labels):
    """Return the true gradient where p >= 1e-7, and 0 elsewhere."""
    g = cross_entropy_gradient_shifted(x, labels)
    return np.where(g[..., 1:] + 1 >= 1e-7, g, 0.0)


def test_samples_are_behind_by_the_gap():
    x, labels = samples_behind([3, -1.5])
    np.testing.assert_array_equal(x, np.array([[3, 0], [-1.5, 0]], dtype=np.float32))
    np.testing.assert_array_equal(labels, [1, 1])
    assert x.dtype == np.float32
    assert labels.dtype == np.int64
    x, labels = samples_behind(2.0, np.float64)
    assert x.shape == (2,)
    assert x.dtype == np.float64
    assert labels.shape == ()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_gradient_by_autograd_is_that_of_each_samples_own_loss(dtype):
    pytest.importorskip("torch")
    x, labels = samples_behind(np.linspace(-5, 5, 11), dtype)
    before = x.copy()
    g = autograd_gradient(cross_entropy_shifted)(x, labels)
    assert g.dtype == dtype
    # autograd sums up the exponentials once more: a few roundings of numbers of size 1
    np.testing.assert_allclose(
        g, cross_entropy_gradient_shifted(x, labels), rtol=0, atol=4 * np.finfo(dtype).eps
    )
    np.testing.assert_array_equal(x, before)


def test_options_reach_the_loss():
    pytest.importorskip("torch")
    x, labels = samples_behind(20.0, np.float64)
    g = autograd_gradient(cross_entropy_epsilon, epsilon=1e-30)(x, labels)
    np.testing.assert_allclose(g, [1, -1], rtol=1e-8)


def test_the_true_gradient_reduces_the_gap_by_almost_two_in_each_step():
    steps = steps_to_recover(cross_entropy_gradient_shifted, [10, 20, 30, 100])
    np.testing.assert_array_equal(steps, [6, 11, 16, 51])


def test_a_sample_that_is_right_takes_no_step_and_a_tie_takes_one():
    assert steps_to_recover(cross_entropy_gradient_shifted, -1e-3) == 0
    assert steps_to_recover(cross_entropy_gradient_shifted, 0.0) == 1


def test_half_the_learning_rate_takes_twice_the_steps():
    steps = steps_to_recover(cross_entropy_gradient_shifted, 100.0, learning_rate=0.5)
    assert steps == pytest.approx(100, abs=2)


def test_a_gradient_of_exactly_zero_ends_the_count_at_once():
    calls = []

    def gradient(x, labels):
        calls.append(len(x))
        return clamped_gradient(x, labels)

    np.testing.assert_array_equal(steps_to_recover(gradient, [10.0, 20.0]), [6, INF])
    assert calls == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("value", [NAN, INF])
def test_a_gradient_that_is_not_finite_never_recovers(value):
    assert steps_to_recover(lambda x, labels: np.full_like(x, value), 3.0) == INF


def test_the_count_is_given_up_after_max_steps():
    assert steps_to_recover(cross_entropy_gradient_shifted, 100.0, max_steps=50) == INF
    assert steps_to_recover(cross_entropy_gradient_shifted, 100.0, max_steps=51) == 51


def test_the_shape_of_the_gaps_is_kept():
    steps = steps_to_recover(cross_entropy_gradient_shifted, [[1.0, 2.0], [3.0, 4.0]])
    assert steps.shape == (2, 2)
    assert np.ndim(steps_to_recover(cross_entropy_gradient_shifted, 1.0)) == 0


@pytest.mark.parametrize("wrong", [{"learning_rate": 0}, {"max_steps": 0}, {"learning_rate": NAN}])
def test_steps_that_lead_nowhere_are_refused(wrong):
    with pytest.raises(ValueError, match="must be positive"):
        steps_to_recover(cross_entropy_gradient_shifted, 1.0, **wrong)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gap": None}, TypeError, "gap must hold real numbers, not"),
        ({"gap": "3"}, TypeError, "gap must hold real numbers, not"),
        ({"dtype": np.int64}, TypeError, "use one of fp64"),
        ({"dtype": "tf32"}, TypeError, "tf32 exists only inside"),
        ({"max_steps": 2.5}, TypeError, r"max_steps must be an int, not 2\.5"),
        ({"learning_rate": "a"}, TypeError, "learning_rate must hold real numbers, not"),
        ({"learning_rate": np.inf}, ValueError, "learning_rate must be positive and finite"),
        ({"gradient": lambda x, y: 1.0}, ValueError, r"shape of its logits, \(1, 2\), not \(\)"),
        ({"gradient": lambda x, y: x[:, :1]}, ValueError, "gradient must return an array"),
    ],
)
def test_wrong_arguments_of_the_count_give_one_clear_error(change, error, message):
    with pytest.raises(error, match=message):
        steps_to_recover(**{"gradient": cross_entropy_gradient_shifted, "gap": 1.0} | change)


def test_no_gaps_take_no_steps():
    assert steps_to_recover(cross_entropy_gradient_shifted, []).shape == (0,)
