"""An answer cannot end, skip or see through a test; what takes too long is stopped."""

import time

import numpy as np
import pytest

from classroom.inside import answer, pack, unpack
from classroom.marking import Answer, error_of, patience, run_here


class Here:
    """A kernel without a sandbox: it calls a function of a source."""

    def __init__(self, source):
        self.namespace = {"np": np}
        exec(source, self.namespace)

    def call(self, name, arguments):
        reply = answer(self.namespace, name, pack(arguments))
        return reply | ({"result": unpack(reply["result"])} if "result" in reply else {})


def passes(test, source):
    """Return whether a teacher's own test is passed by the function "twice" of a source."""
    return run_here(test, {"np": np, "twice": Answer(Here(source), "twice")})[0]


OWN = {
    "a loop in all": "assert all(map(lambda n: bool(twice(n) == 2 * n), range(1, 9)))",
    "the argument afterwards": "x = np.arange(1.0, 9)\nassert (twice(x) == 2 * x).all()",
    "a list": "x = [1, 2]\nassert twice(x) == [2, 4] and x == [1, 2]",
}
GOOD = "def twice(x): return [2 * n for n in x] if isinstance(x, list) else 2 * x"
CHEATS = {
    "ends the loop": "def twice(x): raise StopIteration",
    "ends it by a class of its own": "def twice(x): raise type('Mine', (StopIteration,), {})",
    "ends an asynchronous loop": "def twice(x): raise StopAsyncIteration",
    "exits": "def twice(x): raise SystemExit",
    "is done with the generator": "def twice(x): raise GeneratorExit",
    "only warns": "def twice(x): raise RuntimeWarning",
    "zeroes its argument": "def twice(x):\n    x *= 0\n    return x",
    "empties the list": "def twice(x):\n    x.clear()\n    return []",
}


@pytest.mark.parametrize("test", [OWN["a loop in all"], OWN["the argument afterwards"]])
def test_a_right_answer_passes_the_tests_of_a_teacher(test):
    assert passes(test, GOOD)


@pytest.mark.parametrize("test", OWN.values(), ids=OWN)
@pytest.mark.parametrize("source", CHEATS.values(), ids=CHEATS)
def test_no_error_and_no_change_of_an_argument_passes_a_test(source, test):
    assert not passes(test, source)


def test_errors_that_a_question_may_ask_for_keep_their_names():
    for kind in (ValueError, TypeError, ZeroDivisionError, KeyError, NotImplementedError):
        assert type(error_of(kind.__name__, "x")) is kind
    for name in ("UnicodeDecodeError", "SystemExit", "print", "<b>", "ExceptionGroup"):
        assert type(error_of(name, "x")) is RuntimeError and name in str(error_of(name, "x"))


def test_what_takes_too_long_is_stopped_and_what_catches_it_again():
    start, caught = time.monotonic(), 0
    with patience(0.2):
        while caught < 2:
            try:
                while True:
                    pass
            except TimeoutError:
                caught += 1
    assert 1 < time.monotonic() - start < 4


def test_a_test_that_fails_says_so_and_one_that_passes_shows_what_it_prints():
    assert run_here("print(1)", {}) == (True, [("stdout", "1\n")])
    passed, [printed, error] = run_here("print(2)\nassert False, 'no'", {})
    assert not passed and printed == ("stdout", "2\n") and error == ("stderr", "AssertionError: no")
