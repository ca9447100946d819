import operator
import os
import subprocess
import sys

import nbclient
import numpy as np
import pytest
from nbformat import v4

from stable_softmax import round_to
from stable_softmax.libraries.fresh_process import in_fresh_process


def speak(*words):
    """Print words, from Python and from below it, and return what this process is like."""
    print(*words, flush=True)
    os.write(1, b"from below\n")
    return os.getpid(), os.environ.get("A_TEST")


def test_a_function_is_called_in_another_process_with_arguments_and_environment():
    (pid, variable), printed = in_fresh_process(speak, "one", "two", A_TEST="yes")
    assert pid != os.getpid()
    assert variable == "yes" and "A_TEST" not in os.environ
    assert printed.splitlines() == ["one two", "from below"]


def test_arrays_come_back_as_they_were_made_there():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float16)
    result, printed = in_fresh_process(round_to, x, "bf16")
    assert result.dtype == round_to(x, "bf16").dtype
    np.testing.assert_array_equal(result, round_to(x, "bf16"))
    assert printed == ""


def test_a_process_that_fails_tells_why():
    with pytest.raises(RuntimeError, match=r"code 1:(.|\n)*ZeroDivisionError"):
        in_fresh_process(operator.truediv, 1, 0)
    with pytest.raises(RuntimeError, match="code 3:"):
        in_fresh_process(os._exit, 3)


CALL = """
import os
from stable_softmax.libraries.fresh_process import in_fresh_process
def mine(): pass
print(in_fresh_process(os.getpid)[0] != os.getpid())
try: in_fresh_process(mine)
except ValueError as reason: print(reason)
"""
ANSWER = "True\nmine must be in a module: no process can import it\n"


@pytest.fixture
def anywhere(monkeypatch, tmp_path):
    """A folder in which other programs find the package, as after its installation."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    return tmp_path


@pytest.mark.parametrize("how", ["on the command line", "from a script"])
def test_a_program_can_use_it(anywhere, how):
    (anywhere / "script.py").write_text(CALL)
    program = ["-c", CALL] if how == "on the command line" else ["script.py"]
    command = [sys.executable, *program]
    done = subprocess.run(command, cwd=anywhere, capture_output=True, text=True, check=True)
    assert done.stdout == ANSWER


def test_a_notebook_can_use_it(anywhere):
    cell = v4.new_code_cell(CALL)
    nbclient.execute(v4.new_notebook(cells=[cell]), cwd=anywhere, coalesce_streams=True)
    assert cell.outputs[0].text == ANSWER
