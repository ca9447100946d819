import pytest

from stable_softmax.libraries import digests as module
from stable_softmax.libraries.accuracy_table import RUNGS
from stable_softmax.libraries.digests import digests, digests_without, vector_instructions

#: What every processor and every version of NumPy must give. If a change of the code changes one
#: of these, it changes results: find out which, and why, before you write down the new one.
GOLDEN = {
    "wider fp32": "3aaa6108a0055f3a",
    "wider fp16": "06acdcd1f39ad8a4",
    "wider bf16": "04a34a630a53a7e1",
    "double-double fp64": "c0b8e21e6e883e4c",
    "double-double fp32": "3aaa6108a0055f3a",
    "double-double fp16": "06acdcd1f39ad8a4",
    "double-double bf16": "04a34a630a53a7e1",
}


@pytest.fixture(scope="module")
def here():
    return digests()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_reproducible_rungs_give_the_golden_bits(here, name):
    assert here[name] == GOLDEN[name]


@pytest.fixture(scope="module")
def elsewhere():
    if not vector_instructions():
        pytest.skip("this processor has no optional vector instructions that NumPy could leave out")
    return digests_without(vector_instructions())


@pytest.mark.parametrize("name", GOLDEN)
def test_they_give_them_without_vector_instructions_too(elsewhere, name):
    assert elsewhere[name] == GOLDEN[name]


def test_the_other_process_really_goes_without(monkeypatch):
    monkeypatch.setattr(module, "digests", vector_instructions)
    assert digests_without([]) == vector_instructions()
    assert digests_without(vector_instructions()) == []


def test_every_rung_and_format_is_hashed(here):
    assert {key.split()[0] for key in here} == set(RUNGS)
    assert len(here) == 4 * len(RUNGS)


def test_correctly_rounded_results_have_the_same_bits_whatever_the_algorithm(here):
    for fmt in ("fp32", "fp16", "bf16"):
        assert here[f"wider {fmt}"] == here[f"double-double {fmt}"]
