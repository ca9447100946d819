"""The door for numbers that have to be taken as exactly the numbers they are.

A conversion to float64 rounds an integer above ``2**53`` and a longdouble, in silence, before an
exact result or an error is computed from it. Here nothing is rounded: what float64 cannot hold
becomes Python's int or Fraction.
"""

import math
import operator
from fractions import Fraction

import numpy as np
from array_api_compat import array_namespace, is_torch_array


def exact_numbers(x, name="x"):
    """Return the numbers of an array exactly: in float64 where it holds all of them.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape and of any numeric type of Python, NumPy, ml_dtypes or PyTorch.
        A PyTorch tensor leaves its graph and its device.
    name : str, optional
        What the errors call it.

    Returns
    -------
    numpy.ndarray, shape of x
        A copy. Of dtype float64, or, where that would round (integers above ``2**53``,
        longdouble), of Python objects: int and Fraction, and float for infinities and nan.

    Raises
    ------
    TypeError
        If `x` does not consist of real numbers, or hides some behind a mask.
    ValueError
        If a list is ragged, or a tensor is sparse or quantized.
    """
    array = _numpy_array(x, name)
    kind = kind_of(array.dtype)
    if kind == "O" or (kind == "f" and not hasattr(x, "dtype") and _is_too_large(array)):
        exact = each(lambda v: _python_number(v, name), np.asarray(x, dtype=object))
    elif kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    elif array.dtype.itemsize > 8:
        exact = each(_python_float, array)
    elif kind in "iu" and _is_too_large(array):
        exact = each(int, array)
    else:
        return array.astype(np.float64)
    return exact.astype(np.float64) if all(map(_fits_float64, exact.flat)) else exact


def float_numbers(x, name="x"):
    """Return the numbers of an array in float64, rounded once.

    Errors: see `exact_numbers`; ValueError also for an integer or a longdouble beyond float64.
    """
    try:
        return np.asarray(exact_numbers(x, name)).astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} holds a number beyond the range of float64") from None


def one_number(x, name):
    """Return one real number as a float.

    Raises
    ------
    TypeError
        If `x` is not real.
    ValueError
        If it is more than one number, or none.
    """
    numbers = float_numbers(x, name)
    if numbers.size != 1:
        raise ValueError(f"{name} must be one number, not an array of shape {numbers.shape}")
    return numbers.item()


def positive_number(x, name):
    """Return one number as a float, or raise a ValueError if it is not positive and finite.

    Errors: see `one_number`.
    """
    number = one_number(x, name)
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be positive and finite, not {x}")
    return number


def count(x, name, least=1):
    """Return an int; TypeError if `x` is not one, ValueError if it is below `least`."""
    whole = isinstance(x, float) and x.is_integer()  # as np.ceil returns it
    if isinstance(x, bool | np.bool_) or not (whole or hasattr(x, "__index__")):
        raise TypeError(f"{name} must be an int, not {x!r}")
    number = int(x) if whole else operator.index(x)
    if number < least:
        bound = "positive" if least == 1 else f"at least {least}"
        raise ValueError(f"{name} must be {bound}, not {x}")
    return number


def each(function, array):
    """Apply a function to each element of an array; the result is an array of objects."""
    results = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        results[index] = function(array[index])
    return results


def _numpy_array(x, name):
    if hasattr(x, "detach") and is_compiled(array_namespace(x)):
        raise no_values(x)  # what would be read are no numbers
    if hides_entries(x):
        raise TypeError(f"{name} hides entries behind a mask: give an array of those that count")
    try:
        return np.asarray(_from_torch(x) if is_torch_array(x) else x)
    except (TypeError, RuntimeError):
        raise no_values(x) from None
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"{name} must be a rectangular array; its rows differ in length") from None


def no_values(x):
    """Return the error of an array that cannot be read."""
    return TypeError(
        f"this {type(x).__name__} has no values to be read here, because it is traced or "
        "without data: give a NumPy array"
    )


def is_compiled(xp):
    """Tell whether torch.compile is reading this."""
    compiler = getattr(xp, "compiler", None)
    return compiler is not None and compiler.is_compiling()


def _from_torch(tensor):
    tensor = tensor.detach()
    if tensor.is_quantized or "strided" not in str(tensor.layout):
        raise ValueError("a tensor that is sparse or quantized cannot be read here")
    tensor = tensor.cpu()
    return tensor.double() if tensor.dtype.is_floating_point else tensor  # NumPy lacks some types


def hides_entries(x):
    """Tell whether an array, or a part of a list, is a masked array whose mask hides something."""
    if isinstance(x, np.ma.MaskedArray):
        return np.ma.is_masked(x)
    if type(x) in (list, tuple):
        return any(type(part) not in (int, float) and hides_entries(part) for part in x)
    lazy = getattr(x, "_meta", None)  # dask's picture of its blocks
    return isinstance(lazy, np.ma.MaskedArray) or hasattr(x, "get_mask")  # PyTorch's MaskedTensor


def kind_of(dtype):
    """Return NumPy's letter for the kind of a dtype, for those of ml_dtypes as well."""
    if dtype.type.__module__ != "ml_dtypes":
        return dtype.kind
    return "c" if "complex" in dtype.name else "i" if "int" in dtype.name else "f"


def _is_too_large(array):
    """Tell whether float64 may lack one of the integers that NumPy made this array of."""
    return bool(np.any(np.abs(array.astype(np.float64)) > 2.0**53 - 1))


def _python_number(value, name):
    if isinstance(value, int | np.integer | np.bool_):
        return int(value)
    if isinstance(value, float | np.floating):
        return _python_float(value)
    array = _numpy_array(value, name)  # a tensor, or a scalar of ml_dtypes
    if array.ndim or kind_of(array.dtype) not in "biuf":
        raise TypeError(f"{name} must hold real numbers, not {type(value).__name__}")
    return _python_float(float(array))


def _python_float(number):
    return Fraction(*number.as_integer_ratio()) if np.isfinite(number) else float(number)


def _fits_float64(number):
    try:
        return isinstance(number, float) or float(number) == number
    except OverflowError:
        return False
