from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from stable_softmax import (
    cross_entropy_exact,
    cross_entropy_gradient_exact,
    exp_exact,
    log_softmax_exact,
    logsumexp_exact,
    round_to,
    softmax_exact,
    ulp,
)
from stable_softmax.exact_numbers import (
    count,
    exact_numbers,
    float_numbers,
    one_number,
    positive_number,
)
from stable_softmax.measure.exact_parts import exact_parts

BIG = 2**53
ML_TYPES = [
    *("bfloat16", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "float8_e4m3fn"),
    *("float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn", "float6_e2m3fn"),
    *("float6_e3m2fn", "int2", "int4", "uint2", "uint4"),
]
NUMPY_TYPES = [np.bool_, np.int8, np.uint8, np.int64, np.uint64, np.float16, np.float64]
WIDE = np.finfo(np.longdouble).nmant > 52  # longdouble is longer than float64 on this machine


@pytest.mark.parametrize("dtype", NUMPY_TYPES)
def test_small_numbers_of_every_type_become_float64(dtype):
    numbers = exact_numbers(np.array([0, 1, 1], dtype=dtype))
    assert numbers.dtype == np.float64
    np.testing.assert_array_equal(numbers, [0, 1, 1])


@pytest.mark.parametrize("name", ML_TYPES)
def test_the_types_of_ml_dtypes_are_numbers(name):
    x = np.array([0, 1, 1], dtype=getattr(ml_dtypes, name))
    np.testing.assert_array_equal(exact_numbers(x), [0, 1, 1])
    p = softmax_exact(x, dtype="fp64")
    np.testing.assert_array_equal(p, softmax_exact([0, 1, 1]))
    np.testing.assert_array_equal(ulp(x, "fp32")[1:], 2.0**-23)
    np.testing.assert_array_equal(round_to(x, "fp16"), [0, 1, 1])


@pytest.mark.parametrize("name", ["int4", "uint2"])
def test_the_short_integers_of_ml_dtypes_have_results_in_float64(name):
    assert softmax_exact(np.array([0, 1], getattr(ml_dtypes, name))).dtype == np.float64


LARGE = [
    np.array([BIG + 1, BIG]),
    np.array([2**64 - 1, 2**64 - 2], dtype=np.uint64),
    [BIG + 1, BIG],
    [10**400 + 1, 10**400],
    [float(BIG + 2), BIG + 1],
    [np.uint64(2**63 + 1), np.int64(-1), 2**63],
]


@pytest.mark.parametrize("x", LARGE[:5], ids=str)
def test_large_integers_are_the_integers_they_are(x):
    # found by a fuzzer (D8): gave [0.5, 0.5]
    np.testing.assert_array_equal(softmax_exact(x), softmax_exact([1, 0]))
    np.testing.assert_array_equal(log_softmax_exact(x), log_softmax_exact([1, 0]))
    np.testing.assert_array_equal(cross_entropy_exact(x, 1), cross_entropy_exact([1, 0], 1))
    gradient = cross_entropy_gradient_exact(x, 0)
    np.testing.assert_array_equal(gradient, cross_entropy_gradient_exact([1, 0], 0))
    for name, (head, rest) in exact_parts([x], [1], dtype="fp64").items():
        if name != "logsumexp":
            want = exact_parts([[1, 0]], [1])[name]
            np.testing.assert_array_equal(head, want[0], err_msg=name)
            np.testing.assert_allclose(rest, want[1], rtol=0, atol=2e-9, err_msg=name)


def test_integers_and_floats_of_a_list_are_not_rounded_to_one_type():
    np.testing.assert_array_equal(softmax_exact(LARGE[5]), softmax_exact([1, -2000, 0]))


def test_the_log_sum_exp_of_large_integers_is_rounded_once():
    assert logsumexp_exact([BIG + 1, 0]) == BIG + 2  # the tail decides the tie
    assert logsumexp_exact([2**62 + 2**8 + 1, 0], dtype="fp64") == 2**62
    assert logsumexp_exact([2**62 + 2**9, 0]) == 2**62 + 2**10
    assert logsumexp_exact([10**400, 0]) == np.inf
    assert exp_exact(np.array([-(2**62) - 1])) == 0


@pytest.mark.parametrize(
    ("x", "fmt", "want"),
    [
        (BIG + 1, "fp64", BIG),
        (BIG + 3, "fp64", BIG + 4),
        (2**24 + 1 + 2**60, "fp32", 2**60),
        (2**60 + 2**36 + 1, "fp32", 2**60 + 2**37),  # float64 first would make it a tie
        (-(2**60) - 2**36 - 1, "fp32", -(2**60) - 2**37),
        (10**400, "fp64", np.inf),
        (-(10**400), "bf16", -np.inf),
    ],
)
def test_large_integers_are_rounded_once(x, fmt, want):
    assert float(round_to(x, fmt)) == want
    assert float(round_to([x], fmt)[0]) == want


def test_the_spacing_at_a_large_integer_is_that_of_the_integer():
    np.testing.assert_array_equal(ulp(np.array([2**62 - 1, 2**62]), "fp64"), [2.0**9, 2.0**10])
    assert ulp(2**63 - 1) == 2.0**10 and ulp(10**400) == np.inf


@pytest.mark.skipif(not WIDE, reason="longdouble is float64 on this machine")
def test_a_longdouble_is_the_number_it_is():
    # found by a fuzzer (D8): was rounded to float64 first
    x = np.array([1, 0], np.longdouble) + np.longdouble(2) ** 60
    np.testing.assert_array_equal(softmax_exact(x, dtype="fp64"), softmax_exact([1, 0]))
    number = 1 + np.longdouble(2) ** -24 + np.longdouble(2) ** -60  # float64 makes it a tie
    assert round_to(number, "fp32") == np.float32(1 + 2.0**-23)
    assert round_to(np.longdouble(2) ** -16_000, "fp64") == 0
    assert ulp(np.longdouble(1) - np.longdouble(2) ** -60, "fp64") == 2.0**-53
    assert ulp(np.longdouble(2) ** -16_000, "fp64") == 2.0**-1074
    special = exact_numbers(np.array([np.inf, np.nan, number], np.longdouble))
    assert (
        special[0] == np.inf
        and np.isnan(special[1])
        and special[2] == Fraction(*number.as_integer_ratio())
    )
    np.testing.assert_array_equal(logsumexp_exact([[number, -np.inf]], dtype="fp64"), [1 + 2**-24])
    with pytest.raises(TypeError, match="use one of fp64"):
        softmax_exact(x)


@pytest.mark.skipif(not WIDE, reason="longdouble is float64 on this machine")
def test_a_tie_of_longdoubles_is_decided_by_any_tail():
    x = np.array([0, -(np.longdouble(2) ** 53) - 1, -(np.longdouble(2) ** 16_000)])
    assert log_softmax_exact(x, dtype="fp64")[1] == -(2.0**53) - 2
    equal = np.append(np.zeros(1024, np.longdouble), -(np.longdouble(2) ** -16_000))
    assert not np.any(softmax_exact(equal[:-1], dtype="e4m3").astype(float))


def test_tensors_of_every_library_type_are_numbers():
    torch = pytest.importorskip("torch")
    for dtype in ("bfloat16", "float16", "float8_e5m2", "float8_e4m3fn", "int8", "int64", "bool"):
        x = torch.tensor([0.0, 1.0]).to(getattr(torch, dtype))
        np.testing.assert_array_equal(exact_numbers(x), [0, 1])
        np.testing.assert_array_equal(round_to(x, "fp32"), [0, 1])
    leaf = torch.tensor([1.0, 3.0], dtype=torch.bfloat16, requires_grad=True)
    np.testing.assert_array_equal(ulp(leaf), [2.0**-7, 2.0**-6])
    x = torch.tensor([BIG + 1, BIG])
    np.testing.assert_array_equal(softmax_exact(x, dtype="fp64"), softmax_exact([1, 0]))
    assert softmax_exact(x).dtype == np.float32  # the default float of PyTorch


def test_the_copy_is_not_the_argument():
    x = np.array([1.0, 2.0])
    exact_numbers(x)[0] = 7
    round_to(x, "fp64")[0] = 7
    np.testing.assert_array_equal(x, [1, 2])


NO_NUMBERS = [
    *(None, "3", ["1", "2"], [1, None], 1j, np.array(["2020-01-01"], "datetime64[D]")),
    *([Fraction(1, 3)], ..., {}, [[1, 2], "ab"], np.array([np.timedelta64(1)])),
]
DOORS = [
    exact_numbers,
    ulp,
    lambda x: ulp(x, "fp32"),
    lambda x: round_to(x, "fp16"),
    exp_exact,
    softmax_exact,
    lambda x: cross_entropy_exact(x, 0),
    lambda x: exact_parts([x], [0]),
]


@pytest.mark.parametrize("door", range(len(DOORS)))
@pytest.mark.parametrize("x", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused_in_one_sentence(door, x):
    with pytest.raises((TypeError, ValueError), match=r"must hold real numbers, not|rows differ"):
        DOORS[door](x)


@pytest.mark.parametrize("door", range(len(DOORS)))
def test_ragged_lists_are_refused_in_one_sentence(door):
    with pytest.raises(ValueError, match="x must be a rectangular array; its rows differ"):
        DOORS[door]([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("door", range(len(DOORS)))
def test_hidden_entries_are_refused(door):
    # scipy#3034: the mask was dropped
    x = np.ma.array([0.0, 1.0, 2.0], mask=[1, 0, 0])
    with pytest.raises(TypeError, match="x hides entries behind a mask"):
        DOORS[door](x if door < 7 else np.ma.array([x, x]))


def test_a_mask_that_hides_nothing_is_no_mask():
    np.testing.assert_array_equal(exact_numbers(np.ma.array([1.0, 2.0])), [1, 2])


def test_one_number_and_a_count_are_what_they_say():
    assert one_number([[2**53 + 1]], "a") == 2**53
    assert positive_number(np.float32(0.5), "a") == 0.5
    assert count(np.int8(3), "a") == 3 and count(0, "a", 0) == 0
    for wrong in ([], [1.0, 2.0]):
        with pytest.raises(ValueError, match="a must be one number, not an array of shape"):
            one_number(wrong, "a")
    for wrong in (0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="a must be positive and finite, not"):
            positive_number(wrong, "a")
    for wrong in (1.5, True, "1", None):
        with pytest.raises(TypeError, match="a must be an int, not"):
            count(wrong, "a")
    with pytest.raises(ValueError, match="a must be positive, not 0"):
        count(0, "a")
    with pytest.raises(ValueError, match="a must be at least 2, not 1"):
        count(1, "a", 2)


def test_a_whole_number_of_type_float_counts_as_an_int():
    assert count(np.ceil(2.5), "n", 0) == 3 and isinstance(count(3.0, "n", 0), int)
    with pytest.raises(TypeError, match=r"n must be an int, not 2\.5"):
        count(2.5, "n", 0)


def test_a_number_beyond_float64_has_no_place_in_it():
    np.testing.assert_array_equal(float_numbers([2**53 + 1, 0.5]), [2**53, 0.5])
    with pytest.raises(ValueError, match="a holds a number beyond the range of float64"):
        float_numbers([10**400], "a")


def test_tensors_whose_numbers_cannot_be_read_are_refused():
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match="a tensor that is sparse or quantized cannot be read"):
        softmax_exact(torch.ones(2).to_sparse())
    with pytest.raises(TypeError, match="has no values to be read here, because it is traced or"):
        softmax_exact(torch.ones(2, device="meta"))
