"""Call a function in a Python process of its own, where environment variables still count.

NumPy, MXNet and the oneDNN library inside MXNet read theirs once, when they are imported. To
compare two settings, each needs a fresh process.
"""

import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path


def in_fresh_process(function, *arguments, **environment):
    """Call a function in a fresh process; return its result, and what was printed there.

    Parameters
    ----------
    function : callable
        A function of a module that can be imported: one that a notebook defines cannot.
    *arguments
        What it is called with. They and the result must be picklable, as arrays are.
    **environment : str
        Environment variables to set, in addition to those of this process, before anything is
        imported there: ``NPY_DISABLE_CPU_FEATURES="AVX2"``.

    Returns
    -------
    result : object
    printed : str
        What it and the libraries that it calls wrote to the standard output.

    Raises
    ------
    RuntimeError
        If the process failed; with what it wrote to stderr.
    ValueError
        If the function is defined in a notebook, in a script or at a prompt.
    """
    if function.__module__ == "__main__":
        raise ValueError(f"{function.__qualname__} must be in a module: no process can import it")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "call")
        file.write_bytes(pickle.dumps((function, arguments)))
        done = subprocess.run(
            [sys.executable, "-m", __name__, file],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            code = done.returncode
            raise RuntimeError(f"the process ended with code {code}:\n{done.stderr}")
        return pickle.loads(file.read_bytes()), done.stdout


if __name__ == "__main__":  # in that process
    file = Path(sys.argv[1])
    function, arguments = pickle.loads(file.read_bytes())
    file.write_bytes(pickle.dumps(function(*arguments)))
