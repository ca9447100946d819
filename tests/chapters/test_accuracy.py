"""What the summary of the chapter accuracy states, asserted."""

import numpy as np
import pytest

from stable_softmax import BF16, FP16, FP32, FP64, log_softmax_exact, ulp_error
from stable_softmax.libraries.accuracy_table import FUNCTIONS, RUNGS, TOP, measure
from stable_softmax.libraries.digests import digests, digests_without, vector_instructions
from stable_softmax.measure.exact_parts import exact_parts
from stable_softmax.measure.families import FAMILIES


def worst(rung, function, fmt, family, elements=2000):
    x, labels = family.samples(fmt, elements)
    head, rest = exact_parts(x, labels)[function]
    return np.max(ulp_error(RUNGS[rung][function](x), head, remainder=rest))


def test_the_shift_costs_more_than_a_hundred_ulp_and_twosum_puts_them_back():
    """
    In float64 the shifted softmax loses more than 100 ulp to the rounding of `x - m` on logits of
    scale 300; with that rounding error put back, softmax and log-softmax stay within 4.5 ulp.
    """
    scale_300 = next(f for f in FAMILIES if f.name == "scale 300, n = 10")
    assert worst("shifted", "softmax", FP64, scale_300) > 100
    for family in FAMILIES:
        for function in ("softmax", "log_softmax"):
            assert worst("twosum", function, FP64, family) <= 4.5, family.name


def test_the_sure_class_keeps_its_doubt_from_log1p_on():
    r"""
    The log-probability of 40 beside 0 is $-4.25 \cdot 10^{-18}$; the shifted rung returns 0, and
    the four rungs above it have it within 4 ulp.
    """
    x = np.array([40.0, 0.0])
    exact = log_softmax_exact(x)[0]
    assert f"{exact:.2e}" == "-4.25e-18"
    values = {name: rung["log_softmax"](x)[0] for name, rung in RUNGS.items()}
    assert values.pop("shifted") == 0
    # one exp and one log1p, each within two ulp on any machine
    assert all(ulp_error(value, exact) <= 4 for value in values.values())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_wider_is_nearly_correctly_rounded(family):
    """
    In float32, float16 and bfloat16, float64 inside and one rounding at the end give softmax and
    log-softmax within 0.502 ulp.
    """
    for fmt in {FP32, FP16, BF16} & set(family.formats):
        for function in ("softmax", "log_softmax"):
            assert worst("wider", function, fmt, family) <= 0.502, fmt


def test_no_library_is_more_accurate_than_the_top_rung():
    """
    The double-double rung stays within 0.51 ulp on every family, format and function measured,
    and no library is more accurate on any of them.
    """
    table = measure(elements=200)
    ours = table.select(implementation=TOP)
    assert {m.function for m in ours} == set(FUNCTIONS)
    assert len(ours) == len(FUNCTIONS) * sum(len(f.formats) for f in FAMILIES)
    assert max(m.worst for m in ours) <= 0.51
    assert table.losses == []


def test_the_bits_of_the_top_rung_do_not_depend_on_vector_instructions():
    """
    The bits of the double-double rung do not change when NumPy's vector instructions are switched
    off.
    """
    here, elsewhere = digests(), digests_without(vector_instructions())
    top = [name for name in here if name.startswith(TOP)]
    assert len(top) == 4
    assert {name: here[name] for name in top} == {name: elsewhere[name] for name in top}
