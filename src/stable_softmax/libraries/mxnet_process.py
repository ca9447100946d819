"""MXNet in a process of its own, with its own settings.

What MXNet prints, with the time of day in it, stays there.
"""

from .adapters import call_all, import_mxnet, is_installed, mxnet_alone, why_no_mxnet
from .fresh_process import in_fresh_process


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
    return _in_fresh_mxnet(log_softmax_here, arrays, axis, **environment)[0]


def functions_in_fresh_mxnet(samples, **environment):
    """Compute all of MXNet's functions for several batches in one fresh process.

    Environment and errors: see `log_softmax_in_fresh_mxnet`.

    Parameters
    ----------
    samples : list of (x, labels)
        Logits (float64, float32 or float16) of shape (rows, n), and class indices.

    Returns
    -------
    list of dict
        For each batch, the results of the functions of `Framework`, by name.
    """
    return _in_fresh_mxnet(functions_here, samples, **environment)[0]


def trace_log_softmax(x, axis=-1):
    """Compute MXNet's log-softmax of one array in a fresh process and tell who computed it.

    Parameters and errors: see `log_softmax_in_fresh_mxnet`.

    Returns
    -------
    y : numpy.ndarray
        Log-probabilities.
    kernels : list of str
        The kernels in oneDNN's log, such as ``"softmax, jit:avx2, alg:logsoftmax"``; empty if
        MXNet used its own code. Depends on the CPU.
    """
    (y,), printed = _in_fresh_mxnet(log_softmax_here, [x], axis, DNNL_VERBOSE="1")
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


def log_softmax_here(arrays, axis):
    """Compute in this process what `log_softmax_in_fresh_mxnet` returns."""
    mx = import_mxnet()
    return [mx.nd.log_softmax(mx.nd.array(x, dtype=x.dtype), axis=axis).asnumpy() for x in arrays]


def functions_here(samples):
    """Compute in this process what `functions_in_fresh_mxnet` returns."""
    functions = mxnet_alone().functions
    return [call_all(functions, x, labels) for x, labels in samples]


def _in_fresh_mxnet(function, *arguments, **environment):
    if not is_installed("mxnet"):
        raise ImportError(why_no_mxnet())
    return in_fresh_process(function, *arguments, **environment)
