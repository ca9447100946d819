"""The floating-point formats of the book, as data, and the spacing of their numbers.

A finite number of a binary format with precision p is ``k * 2**(e - p + 1)`` with an integer
``|k| < 2**p`` and an exponent ``min_exponent <= e <= max_exponent``. Everything else (the unit
roundoff, the largest number, where exp overflows) follows from p and the two exponents.

Sources: IEEE 754-2019, table 3.5 (fp64, fp32, fp16); the bfloat16 and TF32 formats keep the
exponents of fp32; fp8: Micikevicius et al. 2022.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .exact_numbers import each, exact_numbers
from .extras import needs


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Parameters
    ----------
    name : str
        The short name used in the book, for example ``"fp32"``.
    dtype_name : str or None
        The name of the array type that stores the format, for example ``"float32"``; None for
        TF32, which exists only inside GPUs.
    precision : int
        Number of significant bits p, the implicit leading one included.
    min_exponent, max_exponent : int
        The smallest normal number is ``2**min_exponent``; the largest number has exponent
        ``max_exponent``.
    has_infinity : bool
        False for e4m3. The format leaves open what a result that is too large becomes: here, and
        in ml_dtypes, it is nan, as is an infinity; PyTorch makes it the largest number, 448.
    """

    name: str
    dtype_name: str | None
    precision: int
    min_exponent: int
    max_exponent: int
    has_infinity: bool = True

    @cached_property
    def dtype(self):
        """The array type that stores the format, a numpy.dtype, or None.

        NumPy lacks those of bf16, e5m2 and e4m3: ml_dtypes, of the extra ``formats``, adds them.
        """
        if self.dtype_name is None:
            return None
        if hasattr(np, self.dtype_name):
            return np.dtype(self.dtype_name)
        with needs("formats"):
            import ml_dtypes
        return np.dtype(getattr(ml_dtypes, self.dtype_name))

    @property
    def unit_roundoff(self):
        """The largest relative error of one rounding in the normal range, ``2**-p``."""
        return 2.0**-self.precision

    @property
    def largest(self):
        """The largest finite number; e4m3 uses its last bit pattern for nan."""
        lost = 0 if self.has_infinity else 1
        return (2.0 - 2.0 ** (1 - self.precision) * (1 + lost)) * 2.0**self.max_exponent

    @property
    def smallest_normal(self):
        """The smallest positive number with full precision."""
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self):
        """The smallest positive number, one bit of precision."""
        return 2.0 ** (self.min_exponent - self.precision + 1)

    @property
    def exp_range(self):
        """Where exp leaves the format.

        Returns
        -------
        overflow_above, subnormal_below, zero_below : float
            ``exp(x)`` rounds to infinity (in e4m3 to nan, as in ml_dtypes; PyTorch stays at 448)
            for ``x > overflow_above``, is subnormal for ``x < subnormal_below`` and rounds to zero
            for ``x < zero_below``.
        """
        half_gap = 2.0 ** (self.max_exponent - self.precision)
        overflow_above = math.log(self.largest) + math.log1p(half_gap / self.largest)
        zero_below = (self.min_exponent - self.precision) * math.log(2.0)
        return overflow_above, math.log(self.smallest_normal), zero_below

    def __str__(self):
        return self.name


FP64 = Format("fp64", "float64", 53, -1022, 1023)
FP32 = Format("fp32", "float32", 24, -126, 127)
TF32 = Format("tf32", None, 11, -126, 127)
FP16 = Format("fp16", "float16", 11, -14, 15)
BF16 = Format("bf16", "bfloat16", 8, -126, 127)
E5M2 = Format("e5m2", "float8_e5m2", 3, -14, 15)
E4M3 = Format("e4m3", "float8_e4m3fn", 4, -6, 8, has_infinity=False)

FORMATS = {f.name: f for f in (FP64, FP32, TF32, FP16, BF16, E5M2, E4M3)}
_BY_DTYPE_NAME = {f.dtype_name: f for f in FORMATS.values() if f.dtype_name}


def format_of(x):
    """Return the `Format` of an array, a dtype, a `Format` or a format's name.

    Parameters
    ----------
    x : array, dtype, Format or str
        NumPy, ml_dtypes and PyTorch arrays and dtypes, ``"fp32"`` or ``"float32"``.

    Returns
    -------
    Format

    Raises
    ------
    TypeError
        If the type is not a floating-point format of this book, for example an integer.
    """
    if isinstance(x, Format):
        return x
    if isinstance(x, str) and x in FORMATS:
        return FORMATS[x]
    dtype = x if isinstance(x, type) else getattr(x, "dtype", x)  # np.float64.dtype is no dtype
    torch_name = str(dtype).rpartition(".")[2]
    name = torch_name if torch_name in _BY_DTYPE_NAME else _numpy_name(dtype)
    if name not in _BY_DTYPE_NAME:
        known = ", ".join(FORMATS)
        raise TypeError(
            f"{dtype!r} is not a floating-point format of this book; use one of {known}"
        )
    return _BY_DTYPE_NAME[name]


def format_of_arrays(x):
    """Return the `Format`, as `format_of`, or raise a TypeError if no array can have it."""
    fmt = format_of(x)
    if fmt.dtype_name is None:
        raise TypeError(f"{fmt} exists only inside processors; no array can have it")
    return fmt


def _numpy_name(dtype):
    try:
        return None if dtype is None else np.dtype(dtype).name  # np.dtype(None) is float64
    except TypeError:
        return None


def ulp(x, dtype=None):
    """Spacing of the floating-point numbers at x: one unit in the last place.

    Parameters
    ----------
    x : array_like, any shape
        Real numbers, as in `exact_numbers`; with `dtype` also integers and further formats.
    dtype : dtype, Format or str, optional
        The format whose spacing is asked for; default: that of `x`, float64 for a list.

    Returns
    -------
    numpy.ndarray of float64, shape of x
        A power of two: ``2**(e - p + 1)`` with e the exponent of x. Below the smallest normal
        number, and at zero, the spacing of the subnormals; nan for nan and for infinities.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers, or the format is not one of this book.

    Notes
    -----
    At a power of two this is the spacing above it (Muller et al. 2018, section 2.3.1).
    """
    numbers = exact_numbers(x)
    fmt = format_of((x if hasattr(x, "dtype") else FP64) if dtype is None else dtype)
    return ulp_of(numbers, fmt)


def ulp_of(numbers, fmt):
    """Spacing of a format at numbers as `exact_numbers` returns them; see `ulp`."""
    if numbers.dtype == object:
        return each(lambda v: _spacing(v, fmt), numbers).astype(np.float64)
    magnitude = np.abs(numbers)
    exponent = np.maximum(np.frexp(magnitude)[1] - 1, fmt.min_exponent)
    exponent = np.where(magnitude == 0, fmt.min_exponent, exponent)
    spacing = np.ldexp(1.0, exponent - fmt.precision + 1)
    return np.where(np.isfinite(magnitude), spacing, np.nan)


def _spacing(number, fmt):
    if isinstance(number, float):
        return math.nan
    exponent = number.numerator.bit_length() - number.denominator.bit_length()
    last = max(exponent if number else fmt.min_exponent, fmt.min_exponent) - fmt.precision + 1
    return math.ldexp(1.0, last) if last < 1024 else math.inf


def round_to(x, fmt):
    """Round numbers to the nearest of a format, once.

    A conversion by ``astype`` takes float64 to bfloat16 by way of float32, which rounds twice:
    ``1 + 2**-8 + 2**-30`` becomes 1 there, and the nearest is ``1 + 2**-7``.

    Parameters
    ----------
    x : array_like, any shape
        Real numbers; each is taken as exactly the number it is, also a longdouble or an integer
        above ``2**53``.
    fmt : dtype, Format or str
        The format; TF32, which stores nothing, is refused.

    Returns
    -------
    numpy.ndarray of the format's dtype, shape of x
        A copy. Ties go to the even neighbor. What is too large, and an infinity, becomes inf,
        without a warning; in e4m3 it becomes nan, as in ml_dtypes (PyTorch saturates: 448). nan
        stays nan.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers, or the format is not one of this book, or stores no
        arrays.
    ImportError
        If its dtype is one of ml_dtypes, which is not installed.
    """
    return rounded_numbers(x, fmt).astype(format_of(fmt).dtype)


def rounded_numbers(x, fmt):
    """Round as `round_to`, and keep the numbers in float64, which has all of them.

    No array type of the format is needed, so this computes without ml_dtypes.

    Parameters and TypeError: see `round_to`.

    Returns
    -------
    numpy.ndarray of float64, shape of x
    """
    fmt, numbers = format_of_arrays(fmt), exact_numbers(x)
    if numbers.dtype == object:
        numbers = each(lambda v: _nearest(v, fmt), numbers).astype(np.float64)
    elif fmt != FP64:
        exponent = np.maximum(np.frexp(numbers)[1] - 1, fmt.min_exponent)
        spacing = np.ldexp(1.0, exponent - fmt.precision + 1)
        with np.errstate(over="ignore"):
            numbers = np.rint(numbers / spacing) * spacing
    beyond = np.copysign(math.inf, numbers) if fmt.has_infinity else math.nan
    return np.where(np.abs(numbers) > fmt.largest, beyond, numbers)


def _nearest(number, fmt):
    if isinstance(number, float):
        return number
    return round_integer(number.numerator, 1 - number.denominator.bit_length(), fmt)


def round_integer(mantissa, exponent, fmt):
    """Round ``mantissa * 2**exponent`` to the nearest number of a format, ties to even.

    Parameters
    ----------
    mantissa, exponent : int
        Of any size.
    fmt : Format

    Returns
    -------
    float
        inf, or nan in a format without infinity, where it is too large.
    """
    size = abs(mantissa)
    if size == 0:
        return 0.0
    leading = size.bit_length() + exponent - 1
    last = max(leading, fmt.min_exponent) - fmt.precision + 1
    if leading < last - 1:
        return 0.0
    if leading > fmt.max_exponent:
        rounded = math.inf
    else:
        drop = last - exponent
        units = size << -drop if drop <= 0 else _shift_to_even(size, drop)
        rounded = units * 2.0**last  # exact: units has at most 53 bits
    if rounded > fmt.largest:
        rounded = math.inf if fmt.has_infinity else math.nan
    return (-rounded if mantissa < 0 else rounded) + 0.0  # no -0.0


def _shift_to_even(size, drop):
    units, remainder = size >> drop, size & ((1 << drop) - 1)
    half = 1 << (drop - 1)
    return units + (remainder > half or (remainder == half and units & 1))
