"""What one student sent costs no other one anything: neither time nor memory, and no place."""

import json
import time

from tests.classroom.submissions import needs_marking, program


@needs_marking
def test_each_result_comes_in_its_place_whatever_the_others_do():
    start = time.monotonic()
    made = program("workers")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout) == [
        ["Failed", "This took more than 5 s."],
        ["str", "one"],
        ["Failed", "The program failed: ValueError('no')."],
        ["Failed", "Its process ended."],
        ["Failed", "The program failed: MemoryError()."],
        ["str", "two"],
    ]
    assert time.monotonic() - start < 40
