"""Every measurement of the chapter "On a GPU" runs, small, with the CPU as the device."""

from functools import partial

import numpy as np
import pytest

from stable_softmax.experiments import gpu_measures as measures
from stable_softmax.experiments.gpu import record
from stable_softmax.measure.families import FAMILIES

torch = pytest.importorskip("torch")

SMALL = {
    "sure": measures.sure,
    "autocast": measures.autocast,
    "samples": measures.samples,
    "masked": measures.masked,
    "batch": partial(measures.batch, width=64, classes=300, rows=512),
    "bits": partial(measures.bits, width=64, classes=(10, 33), batches=(1, 2, 8)),
    "axis": partial(measures.axis, classes=(1000,), rows=64),
    "equal": partial(measures.equal, classes=101),
    "exp": partial(measures.exp, step=40_009),
    "train": partial(measures.train, words=99, width=32, heads=2, layers=2, tokens=12),
    "vocabulary": partial(
        measures.vocabulary, classes=99, width=16, tokens=(24,), chunk=8, repeats=1
    ),
    "speed": partial(measures.speed, classes=(10,), numbers=1000, repeats=1),
    "accuracy": partial(measures.accuracy, families=FAMILIES[:1]),
}


@pytest.fixture(scope="module")
def tables():
    return {name: function("cpu") for name, function in SMALL.items()}


def test_every_table_has_the_form_of_the_recorded_one(tables):
    assert list(tables) == list(measures.TABLES) == list(record()["tables"])
    sized = {"bits", "axis", "vocabulary", "speed"}  # their rows or columns name what is small here
    for name, rows in record()["tables"].items():
        if name not in sized:
            assert list(tables[name]) == list(rows), name
        if name not in {"vocabulary", "speed"}:
            columns = {tuple(row) for row in (*rows.values(), *tables[name].values())}
            assert len(columns) == 1, name
    for name in "vocabulary", "speed":
        assert list(tables[name]) == list(record()["tables"][name])


def test_inputs_that_are_not_drawn_are_those_of_the_record():
    """On any device, float32 and float64 lose the loss of a sure sample at the same gap."""
    here, there = measures.sure("cpu"), record()["tables"]["sure"]
    assert here["fp64"] == there["fp64"] and here["fp32"] == there["fp32"]


def test_of_drawn_rows_the_axis_costs_the_same_digits_here_and_there():
    here = measures.axis("cpu", classes=(1000,))["1,000 classes"]
    there = record()["tables"]["axis"]["1,000 classes"]
    # one by one is the same sum everywhere; exp differs in its last digit
    assert abs(here["first"] - there["first"]) < 3


def test_what_a_device_cannot_do_is_none(tables):
    cudnn = tables["masked"]["cuDNN, boolean mask"]
    assert cudnn == {f"{i}": None for i in range(8)}
    assert tables["exp"]["tl.exp"] == {"worst ulp": None, "at": None}
    assert all(row["MiB, 24 tokens"] is None for row in tables["vocabulary"].values())
    assert all(row["ms, 24 tokens"] > 0 for row in tables["vocabulary"].values())


def test_a_mask_that_forbids_all_gives_zeros_on_the_cpu(tables):
    assert set(tables["masked"]["math, boolean mask"].values()) == {0.0}


def test_errors_in_ulp_are_those_of_the_book():
    from stable_softmax import ulp_error

    rng = np.random.default_rng(0)
    exact = np.exp2(rng.uniform(-149, 120, 500))
    with np.errstate(under="ignore"):
        computed = (exact * (1 + rng.normal(scale=1e-6, size=500))).astype(np.float32)
    ours = measures._ulp(torch.from_numpy(computed), torch.from_numpy(exact))
    np.testing.assert_allclose(ours, ulp_error(computed, exact, dtype="fp32"), rtol=1e-12)


def test_the_search_for_the_worst_exp_finds_the_worst():
    wrong = 3.25

    def exp(x):
        y = torch.exp(x)
        return torch.where((x > wrong) & (x < wrong + 1e-4), 1.00001 * y, y)

    found = measures._worst_of_all(exp, "cpu", step=101)
    assert wrong < found["at"] < wrong + 1e-4 and found["worst ulp"] > 80


def test_two_results_are_counted_as_two():
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0])
    assert measures._among(a, [b, a]) and not measures._among(a, [b]) and not measures._among(a, [])


def test_training_and_inference_are_the_same_formula():
    parts = [measures._wide(p) for p in measures._network("cpu", words=50, width=32, layers=2)]
    text = torch.arange(10)
    whole = measures._log_p(parts, text, heads=4)
    single = measures._log_p(parts, text, heads=4, one_by_one=True)
    assert float((whole - single).abs().max()) < 1e-13  # in float64 only rounding is left
    np.testing.assert_allclose(whole.exp().sum(-1), 1, rtol=1e-12)


def test_tokens_are_drawn_by_their_probabilities():
    log_p = torch.log(torch.tensor([[0.5, 0.3, 0.2]])).expand(20_000, 3)
    shares = torch.bincount(measures._drawn(log_p, seed=0)[:, 0]) / 20_000
    # the standard deviation of a share is below 0.0036
    np.testing.assert_allclose(shares, [0.5, 0.3, 0.2], atol=0.018)


def test_only_what_the_memory_or_the_kernels_lack_is_left_out():
    def call(error):
        raise error

    assert measures._or_none(lambda: call(RuntimeError("no kernel")), None) is None
    assert measures._or_none(lambda: call(torch.OutOfMemoryError("none left")), None) is None
    with pytest.raises(TypeError):
        measures._or_none(lambda: call(TypeError("a mistake")), None)
