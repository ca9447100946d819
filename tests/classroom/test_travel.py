"""What travels between grader and kernel comes through to the last bit, or is refused."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from classroom import inside as travel

NUMBERS = st.one_of(
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.boolean_dtypes(),
)
ARRAYS = NUMBERS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0)))
SCALARS = NUMBERS.flatmap(lambda kind: hnp.arrays(kind, ())).map(lambda array: array[()])
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
VALUES = st.recursive(
    PLAIN | ARRAYS | SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text() | st.integers() | st.booleans(), inner, max_size=3),
    ),
    max_leaves=8,
)


def same(left, right):
    """Return whether two values are alike to the last bit, kinds included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray | np.generic):
        native = [np.asarray(x).astype(x.dtype.newbyteorder("=")) for x in (left, right)]
        return (
            native[0].dtype == native[1].dtype
            and left.shape == right.shape
            and native[0].tobytes() == native[1].tobytes()
        )
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same(list(left.items()), list(right.items()))
    return left == right or (left != left and right != right)


@given(VALUES)
def test_values_travel_there_and_back_to_the_last_bit(value):
    assert same(travel.unpack(json.loads(json.dumps(travel.pack(value)))), value)


@pytest.mark.parametrize(
    "value",
    [
        np.asfortranarray(np.eye(3)[:, ::2]),
        np.float16([np.nan, -0.0, 6e-8]),
        np.array(3.0),
        10**400,
    ],
    ids=["order and steps", "special values", "without axes", "large integer"],
)
def test_the_awkward_values_travel_as_well(value):
    assert same(travel.unpack(json.loads(json.dumps(travel.pack(value)))), value)


@pytest.mark.parametrize(
    "value",
    [np.array([None]), np.array(["a"]), 1j, np.complex128(1), {1, 2}, b"x", object(), print],
    ids=["objects", "texts", "complex", "complex128", "set", "bytes", "object", "function"],
)
@pytest.mark.parametrize("inside", [False, True])
def test_what_cannot_be_marked_is_refused_in_a_sentence(value, inside):
    with pytest.raises(TypeError, match="cannot be marked: return numbers or NumPy arrays"):
        travel.pack([1.0, {"a": value}] if inside else value)


JSON = st.recursive(
    PLAIN | st.sampled_from(["array", "scalar", "dict", "tuple", "list", "float64", "AAAA", "é"]),
    lambda inner: st.lists(inner, max_size=4),
)


@given(JSON)
@example(["array", "float64", [10**30], "AAAAAAAAAAA="])
@example(["array", "object", [1], "AAAAAAAAAAA="])
@example(["array", "float64", [-1, 2**62], ""])
@example(["dict", [["list"], 1]])
def test_what_is_no_packed_value_raises_what_is_documented(value):
    with contextlib.suppress(ValueError, TypeError, KeyError):
        travel.unpack(value)


def called(source, *arguments):
    """Return what a function f of a student's source answers."""
    namespace = {"np": np, "__name__": "__main__"}
    exec(source, namespace)
    return json.loads(json.dumps(travel.answer(namespace, "f", travel.pack(arguments))))


@pytest.mark.parametrize(
    "source, error",
    [
        ("", ["NameError", "there is no f"]),
        ("f = 3", ["TypeError", "'int' object is not callable"]),
        ("def f(x): raise ValueError('no')", ["ValueError", "no"]),
        ("def f(x): return {}['a']", ["KeyError", "'a'"]),
        ("def f(x): raise SystemExit(3)", ["SystemExit", "3"]),
        ("def f(x): raise type('Odd', (BaseException,), {})('x')", ["BaseException", "Odd('x')"]),
        ("def f(x): return {1, 2}", ["TypeError", "set cannot be marked: return numbers or"]),
        ("def f(x, y): return x", ["TypeError", "f() missing 1 required positional argument: 'y'"]),
    ],
)
def test_an_error_in_an_answer_comes_back_with_its_name(source, error, capsys):
    name, text = called(source, 1.0)["error"]
    assert name == error[0] and text.startswith(error[1])


def test_warnings_come_back_and_whether_an_argument_was_changed():
    reply = called("f = np.exp", np.array([1.0, 1000.0]))
    assert reply["warnings"] == ["overflow encountered in exp"] and reply["changed"] is False
    for source in [
        "def f(x): x[0] = 7",
        "def f(x): x.setflags(write=True); x *= 0; raise ValueError",
        "def f(x): x.dtype = np.int64",
        "def f(x): x.shape = (2, 1)",
    ]:
        assert called(source, np.array([1.0, 1000.0]))["changed"] is True, source
    assert called("def f(x): x.append({1})", [1, 2])["changed"] is True
    assert called("def f(x): return x", float("nan"))["changed"] is False


@pytest.mark.parametrize("source", ["10**5000", "[[]] * 10**6", "'\\ud800'"])
def test_what_is_returned_can_be_sent_or_is_an_error_of_the_call(source):
    reply = called(f"def f(): return {source}")
    assert ("error" in reply) != ("result" in reply)
