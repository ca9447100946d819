"""MXNet in a process of its own, where environment variables still count.

MXNet and the oneDNN library inside it read their environment variables once, at the import. To
compare two settings, each needs a fresh process. MXNet's remarks, which carry the time of day,
stay there.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .adapters import available_frameworks, call_all, import_mxnet, is_installed, why_no_mxnet

_LOG_SOFTMAX = """
import sys
from stable_softmax.libraries.mxnet_process import log_softmax_of_file
log_softmax_of_file(*sys.argv[1:])
"""
_FUNCTIONS = """
import sys
from stable_softmax.libraries.mxnet_process import functions_of_file
functions_of_file(*sys.argv[1:])
"""


def run_in_subprocess(code, *arguments, **environment):
    """Run Python code in a fresh process and return what it printed.

    Parameters
    ----------
    code : str
        Python source; it can import this package.
    *arguments : str
        What the code finds in ``sys.argv[1:]``.
    **environment : str
        Environment variables to set, in addition to those of this process.

    Returns
    -------
    str
        The standard output.

    Raises
    ------
    RuntimeError
        If the process failed; with what it wrote to stderr.
    """
    package = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(filter(None, [package, inherited]))
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if result.returncode:
        status = result.returncode
        raise RuntimeError(f"the process ended with code {status}:\n{result.stderr}")
    return result.stdout


def log_softmax_in_fresh_mxnet(arrays, axis=-1, **environment):
    """Compute MXNet's log-softmax of several arrays in one fresh process.

    Parameters
    ----------
    arrays : list of numpy.ndarray
        Logits: float64, float32 or float16.
    axis : int
        The class axis.
    **environment : str
        For example ``MXNET_MKLDNN_ENABLED="0"``.

    Returns
    -------
    list of numpy.ndarray
        Log-probabilities, with the shapes and dtypes of the arrays.

    Raises
    ------
    ImportError
        Where MXNet is not installed.
    """
    return _log_softmax(arrays, axis, environment)[0]


def functions_in_fresh_mxnet(samples, **environment):
    """Compute all of MXNet's functions for several batches in one fresh process.

    Parameters
    ----------
    samples : list of (x, labels)
        Logits (float64, float32 or float16) of shape (rows, n), and class indices.
    **environment : str
        For example ``MXNET_MKLDNN_ENABLED="0"``.

    Returns
    -------
    list of dict
        For each batch, the results of the functions of `Framework`, by name.

    Raises
    ------
    ImportError
        Where MXNet is not installed.
    """
    arrays = [array for sample in samples for array in sample]
    found, _ = _in_fresh_mxnet(_FUNCTIONS, arrays, **environment)
    results = [{} for _ in samples]
    for key, values in found.items():
        name, i = key.split()
        results[int(i)][name] = values
    return results


def trace_log_softmax(x, axis=-1):
    """Compute MXNet's log-softmax in a fresh process and tell who computed it.

    Parameters
    ----------
    x : numpy.ndarray
        Logits: float64, float32 or float16.
    axis : int
        The class axis.

    Returns
    -------
    y : numpy.ndarray
        Log-probabilities.
    kernels : list of str
        The kernels in oneDNN's log, such as ``"softmax, jit:avx2, alg:logsoftmax"``; empty if
        MXNet used its own code. Depends on the CPU.

    Raises
    ------
    ImportError
        Where MXNet is not installed.
    """
    (y,), printed = _log_softmax([x], axis, {"DNNL_VERBOSE": "1"})
    return y, parse_onednn_log(printed)


def parse_onednn_log(text):
    """Extract the executed kernels from oneDNN's log, without shapes and times.

    Parameters
    ----------
    text : str
        What a process with ``DNNL_VERBOSE=1`` printed.

    Returns
    -------
    list of str
        Operation, implementation and algorithm of each executed kernel.
    """
    lines = [line.split(",") for line in text.splitlines() if line.startswith("dnnl_verbose,exec")]
    algorithms = [[w for field in line for w in field.split() if "alg:" in w] for line in lines]
    return [", ".join([*line[3:5], *alg]) for line, alg in zip(lines, algorithms, strict=True)]


def log_softmax_of_file(source, target, axis):
    """Compute MXNet's log-softmax of the arrays in one ``.npz`` file and write another one.

    Parameters
    ----------
    source, target : str
        The files.
    axis : str or int
        The class axis.
    """
    mx = import_mxnet()
    with np.load(source) as arrays:
        results = [
            mx.nd.log_softmax(mx.nd.array(x, dtype=x.dtype), axis=int(axis)).asnumpy()
            for x in arrays.values()
        ]
    np.savez(target, *results)


def functions_of_file(source, target):
    """Compute MXNet's functions of the batches in one ``.npz`` file and write another one.

    Parameters
    ----------
    source, target : str
        The files.
    """
    functions = available_frameworks()["MXNet"].functions
    with np.load(source) as arrays:
        batches = list(arrays.values())
    pairs = enumerate(zip(batches[::2], batches[1::2], strict=True))
    results = {
        f"{name} {i}": values
        for i, (x, labels) in pairs
        for name, values in call_all(functions, x, labels).items()
    }
    np.savez(target, **results)


def _log_softmax(arrays, axis, environment):
    results, printed = _in_fresh_mxnet(_LOG_SOFTMAX, arrays, str(axis), **environment)
    return list(results.values()), printed


def _in_fresh_mxnet(code, arrays, *arguments, **environment):
    """Hand arrays to a fresh process by a file; return what it hands back, and what it printed."""
    if not is_installed("mxnet"):
        raise ImportError(why_no_mxnet())
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "x.npz"), os.path.join(folder, "y.npz")
        np.savez(source, *arrays)
        printed = run_in_subprocess(code, source, target, *arguments, **environment)
        with np.load(target) as results:
            return dict(results), printed
