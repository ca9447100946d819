"""What one student sent costs no other one anything: neither time nor memory, and no place."""

import json
import time

from tests.classroom.submissions import filled, needs_marking, packed, program, write


@needs_marking
def test_what_takes_too_much_is_refused_in_a_sentence_and_not_tried_again(tmp_path, released):
    write(tmp_path, {"Ada/hw.ipynb": packed(filled(released))})
    made = program("too_much", tmp_path)
    assert made.returncode == 0, made.stderr
    says = "This takes far more time or memory than a notebook does."
    assert list(map(json.loads, made.stdout.splitlines())) == [[says, None]] * 2


@needs_marking
def test_each_result_comes_in_its_place_whatever_the_others_do():
    start = time.monotonic()
    made = program("workers")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == [
        ["Failed", "This took more than 12 s."],
        ["str", "one"],
        ["Failed", "The program failed: ValueError('no')."],
        ["Failed", "Its process ended."],
        ["Failed", "The program failed: MemoryError()."],
        ["str", "two"],
    ]
    assert time.monotonic() - start < 40
