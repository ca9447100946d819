import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stable_softmax import FP32, FP64
from stable_softmax.beyond.hidden_markov import (
    finite,
    forward_log,
    forward_naive,
    forward_scaled,
    forward_shifted,
    log_or_infinite,
    log_sum,
    shifted,
    step_log_probabilities,
)
from stable_softmax.measure.exact_sequences import forward_exact
from tests.cases import INF, NAN

FORMS = [forward_naive, forward_log, forward_scaled, forward_shifted]
LASTING = FORMS[1:]
each_form = pytest.mark.parametrize("form", FORMS, ids=lambda f: f.__name__)
each_lasting_form = pytest.mark.parametrize("form", LASTING, ids=lambda f: f.__name__)


def model(steps, states=4, kinds=20, seed=0, dtype=np.float32):
    """Return a random model, and the likelihoods of random observations."""
    rng = np.random.default_rng(seed)
    move = rng.dirichlet(np.ones(states), size=states).astype(dtype)
    emit = rng.dirichlet(np.ones(kinds), size=states).astype(dtype)
    start = np.full(states, 1 / states, dtype=dtype)
    return start, move, emit.T[rng.integers(kinds, size=steps)]


def imported(library):
    return pytest.importorskip(library, reason=f"{library} is not installed here")


# Against exact values


@each_form
@pytest.mark.parametrize("fmt", [FP32, FP64], ids=str)
def test_ten_steps_are_right_in_every_form(fmt, form):
    # Each step costs a probability a product, a sum of four and another product, at most 6 u, and a
    # logarithm of size 40 as many units as it is large in each of three roundings: below
    # 10 * (6 + 3 * 40) u. Measured: 60 u.
    tables = model(10, dtype=fmt.dtype)
    assert abs(form(*tables) - forward_exact(*tables)) <= 1260 * fmt.unit_roundoff


@pytest.mark.parametrize("states", [1, 2, 7])
@pytest.mark.parametrize("form", [forward_scaled, forward_shifted], ids=lambda f: f.__name__)
def test_a_thousand_steps_cost_less_than_two_spacings_where_the_numbers_stay_small(form, states):
    # The result is rounded by half a spacing; a pairwise sum of size 3000 in float32 makes at most
    # log2(1000) such roundings, which mostly cancel; each step adds about 10 u, 0.0006 in all.
    tables = model(1000, states)
    exact = forward_exact(*tables)
    assert abs(form(*tables) - exact) <= 2 * np.spacing(np.float32(abs(exact)))


def test_after_ten_thousand_steps_the_log_domain_has_lost_what_scaling_keeps():
    tables = model(10_000)
    exact = forward_exact(*tables)
    half_spacing = np.spacing(np.float32(-exact)) / 2
    assert abs(forward_log(*tables) - exact) > 50 * half_spacing  # measured 0.15, 157 times
    assert abs(forward_scaled(*tables) - exact) < 2 * half_spacing  # measured 0.0007
    parts = step_log_probabilities(*tables)
    assert parts.dtype == np.float32
    assert abs(np.sum(parts, dtype=float) - exact) < half_spacing / 4  # measured 0.00008


@pytest.mark.parametrize(("dtype", "steps"), [(np.float32, 33), (np.float64, 237)])
def test_the_naive_form_dies(dtype, steps):
    start, move, seen = (table.astype(dtype) for table in model(300))
    assert np.isfinite(forward_naive(start, move, seen[: steps - 1]))
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert forward_naive(start, move, seen[:steps]) == -INF


def test_every_path_is_in_the_sum():
    start, move, seen = model(4, states=3, dtype=np.float64)
    total = 0.0
    for path in itertools.product(range(3), repeat=4):
        p = start[path[0]] * seen[0, path[0]]
        for t in range(1, 4):
            p *= move[path[t - 1], path[t]] * seen[t, path[t]]
        total += p
    for form in FORMS:
        assert form(start, move, seen) == pytest.approx(np.log(total), rel=1e-14)


def test_a_chain_whose_states_do_not_matter_is_a_product():
    start, move, _ = model(1, dtype=np.float64)
    seen = np.random.default_rng(0).uniform(size=(500, 1)) * np.ones(4)
    for form in LASTING:
        assert form(start, move, seen) == pytest.approx(np.sum(np.log(seen[:, 0])), rel=1e-13)


@given(st.integers(1, 4), st.integers(1, 8), st.integers(0, 1000))
def test_the_forms_agree_on_any_model(states, steps, seed):
    tables = model(steps, states, seed=seed, dtype=np.float64)
    exact = forward_exact(*tables)
    for form in FORMS:
        assert abs(form(*tables) - exact) <= 1e-13 * max(1, abs(exact))


def test_the_steps_add_up_and_each_is_conditional():
    tables = model(50, dtype=np.float64)
    parts = step_log_probabilities(*tables)
    before = [0.0, *(forward_exact(*tables[:2], tables[2][:n]) for n in range(1, 51))]
    np.testing.assert_allclose(parts, np.diff(before), atol=1e-12)


# What is far behind


COIN = (
    np.float32([0.5, 0.5]),
    np.eye(2, dtype=np.float32),
    np.float32([[0.5, 1]] * 200 + [[0.5, 0]]),
)


def test_a_state_that_underflowed_is_lost_to_scaling_alone():
    assert forward_exact(*COIN) == pytest.approx(-202 * np.log(2), rel=1e-15)
    assert forward_scaled(*COIN) == -INF
    for form in (forward_log, forward_shifted):  # 202 roundings near 139, of half a spacing 8e-6
        assert abs(form(*COIN) - forward_exact(*COIN)) < 202 * 8e-6


@pytest.mark.parametrize("form", [forward_log, forward_shifted], ids=lambda f: f.__name__)
def test_in_the_log_domain_a_likelihood_may_be_as_small_as_the_format_allows(form):
    start, move, seen = model(100, dtype=np.float64)
    seen = np.float64(1e-300) * seen
    exact = forward_exact(start, move, seen)
    assert abs(form(start, move, seen) - exact) <= 1e-13 * abs(exact)


# Special values


@each_lasting_form
def test_what_cannot_be_has_the_logarithm_minus_infinity_without_a_warning(form):
    start, move = [1.0, 0.0], [[1.0, 0.0], [0.0, 1.0]]
    assert form(start, move, [[0.0, 1.0]]) == -INF
    assert form(start, move, [[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]) == -INF
    assert form(start, move, [[1.0, 1.0]]) == 0
    assert form([0.0, 0.0], move, [[1.0, 1.0]] * 3) == -INF


def test_steps_after_an_impossible_one_are_impossible():
    parts = step_log_probabilities([1.0], [[1.0]], [[0.5], [0.0], [0.5]])
    np.testing.assert_array_equal(parts, [np.log(0.5), -INF, -INF])


@each_form
@pytest.mark.parametrize("bad", [-0.5, NAN, INF, -INF])
@pytest.mark.parametrize("table", [0, 1, 2])
def test_a_number_that_is_no_probability_makes_the_result_nan(table, bad, form):
    tables = [np.array(part) for part in model(3, dtype=np.float64)]
    tables[table].flat[0] = bad
    assert np.isnan(form(*tables))


@each_form
def test_a_density_may_exceed_1(form):
    start, move, seen = model(5, dtype=np.float64)
    want = form(start, move, seen) + 5 * np.log(100)
    assert form(start, move, 100 * seen) == pytest.approx(want, rel=1e-13)


# Arguments


@each_form
def test_leading_axes_are_a_batch_of_sequences(form):
    start, move, _ = model(1, dtype=np.float64)
    seen = np.random.default_rng(0).uniform(size=(2, 3, 5, 4))
    got = form(start, move, seen)
    assert got.shape == (2, 3)
    assert got[1, 2] == pytest.approx(form(start, move, seen[1, 2]), rel=1e-15)


@each_form
def test_short_formats_are_computed_in_float32(form):
    tables = [table.astype(np.float16) for table in model(5)]
    assert form(*tables).dtype == np.float32
    mixed = form(tables[0], tables[1].astype(np.float64), tables[2])
    assert mixed.dtype == np.float64


@each_form
def test_arguments_are_not_changed(form):
    tables = model(5)
    copies = [table.copy() for table in tables]
    form(*tables)
    for table, copy in zip(tables, copies, strict=True):
        np.testing.assert_array_equal(table, copy)


@each_form
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2,), (2, 3), (5, 2)), "must have the shapes"),
        (((2,), (2, 2), (5, 3)), "must have the shapes"),
        (((2,), (2, 2), (2,)), "must have the shapes"),
        (((1, 2), (2, 2), (5, 2)), "must have the shapes"),
        (((), (2, 2), (5, 2)), "must have the shapes"),
        (((2,), (2, 2), (0, 2)), "at least one step"),
        (((0,), (0, 0), (3, 0)), "at least one step and one state"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes, message, form):
    with pytest.raises(ValueError, match=message):
        form(*(np.ones(shape) for shape in shapes))


@each_form
def test_what_is_not_real_or_of_two_libraries_is_refused(form):
    torch = imported("torch")
    start, move, seen = model(3)
    with pytest.raises(TypeError, match="transitions must hold real numbers"):
        form(start, move * 1j, seen)
    with pytest.raises(TypeError, match="give arrays of one library"):
        form(start, move, torch.tensor(seen))


@pytest.mark.parametrize("library", ["torch", "array_api_strict", "jax.numpy", "dask.array"])
@each_form
def test_every_library_gives_the_same_numbers(form, library):
    xp = imported(library)
    tables = model(6)
    got = form(*(xp.asarray(table) for table in tables))
    assert abs(float(got) - form(*tables)) <= 20 * 16 * FP32.unit_roundoff  # exp and log differ


@each_form
def test_the_gradient_is_that_of_the_exact_sum(form):
    torch = imported("torch")
    tables = [torch.tensor(t, dtype=torch.float64, requires_grad=True) for t in model(6)]
    gradients = torch.autograd.grad(form(*tables), tables)
    h = 1e-6
    for k, gradient in enumerate(gradients):
        for index in [(0,), (1,)] if k == 0 else [(0, 1), (2, 3)]:
            ends = []
            for side in (h, -h):
                moved = [t.detach().numpy().copy() for t in tables]
                moved[k][index] += side
                ends.append(forward_exact(*moved))
            estimate = (ends[0] - ends[1]) / (2 * h)
            assert gradient[index].item() == pytest.approx(estimate, rel=1e-6)


@each_lasting_form
def test_states_that_cannot_be_have_a_finite_gradient(form):
    torch = imported("torch")
    start = torch.tensor([1.0, 0.0], requires_grad=True)
    move = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    (gradient,) = torch.autograd.grad(form(start, move, torch.tensor([[0.5, 0.5]] * 3)), start)
    assert torch.all(torch.isfinite(gradient))
    assert gradient[0] == pytest.approx(1)


# The parts


def test_a_sum_of_nothing_is_minus_infinity_without_a_warning():
    a = np.array([[-INF, -INF], [0.0, -INF]])
    np.testing.assert_array_equal(log_sum(a, -1, np), [-INF, 0])
    np.testing.assert_array_equal(log_or_infinite(np.array([0.0, 1.0]), np), [-INF, 0])
    np.testing.assert_array_equal(finite(np.array([-INF, NAN, INF, 2.0]), np), [0, 0, 0, 2])


def test_logarithms_are_taken_relative_to_the_largest():
    a, m = shifted(np.array([[1.0, 3.0], [-INF, -INF]]), np)
    np.testing.assert_array_equal(a, [[-2, 0], [-INF, -INF]])
    np.testing.assert_array_equal(m, [[3], [0]])
