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
        False for e4m3, where a result that is too large becomes nan.
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
        """The largest finite number; e4m3 gives its last bit pattern away to nan."""
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
            ``exp(x)`` rounds to infinity (nan in e4m3) for ``x > overflow_above``, is subnormal
            for ``x < subnormal_below`` and rounds to zero for ``x < zero_below``.
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
        If the type is no floating-point format of this book, for example an integer.
    """
    if isinstance(x, Format):
        return x
    if isinstance(x, str) and x in FORMATS:
        return FORMATS[x]
    dtype = x if isinstance(x, type) else getattr(x, "dtype", x)  # np.float64.dtype is no dtype
    torch_name = str(dtype).removeprefix("torch.")
    name = torch_name if torch_name in _BY_DTYPE_NAME else _numpy_name(dtype)
    if name not in _BY_DTYPE_NAME:
        known = ", ".join(FORMATS)
        raise TypeError(
            f"{dtype!r} is not a floating-point format of this book; use one of {known}"
        )
    return _BY_DTYPE_NAME[name]


def _numpy_name(dtype):
    try:
        return None if dtype is None else np.dtype(dtype).name  # np.dtype(None) is float64
    except TypeError:
        return None


def ulp(x, dtype=None):
    """Spacing of the floating-point numbers at x: one unit in the last place.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape.
    dtype : dtype, Format or str, optional
        The format whose spacing is asked for; default: that of `x`.

    Returns
    -------
    numpy.ndarray of float64, shape of x
        A power of two: ``2**(e - p + 1)`` with e the exponent of x. Below the smallest normal
        number, and at zero, the spacing of the subnormals; nan for nan and for infinities.

    Raises
    ------
    TypeError
        If the format is not one of this book.

    Notes
    -----
    At a power of two this is the spacing above it (Muller et al. 2018, section 2.3.1).
    """
    x = x if hasattr(x, "dtype") else np.asarray(x, dtype=np.float64)
    fmt = format_of(x if dtype is None else dtype)
    magnitude = np.abs(np.asarray(x).astype(np.float64))
    exponent = np.maximum(np.frexp(magnitude)[1] - 1, fmt.min_exponent)
    exponent = np.where(magnitude == 0, fmt.min_exponent, exponent)
    spacing = np.ldexp(1.0, exponent - fmt.precision + 1)
    return np.where(np.isfinite(magnitude), spacing, np.nan)


def round_to(x, fmt):
    """Round numbers to the nearest of a format, once.

    A conversion by ``astype`` takes float64 to bfloat16 by way of float32, which rounds twice:
    ``1 + 2**-8 + 2**-30`` becomes 1 there, and the nearest is ``1 + 2**-7``.

    Parameters
    ----------
    x : array_like of float, any shape
    fmt : dtype, Format or str
        The format; TF32, which stores nothing, is refused.

    Returns
    -------
    numpy.ndarray of the format's dtype, shape of x
        Ties go to the even neighbor. What is too large, and an infinity, becomes inf (nan in
        e4m3), without a warning. nan stays nan.

    Raises
    ------
    TypeError
        If the format is not one of this book, or stores no arrays.
    ImportError
        If its dtype is one of ml_dtypes, which is not installed.
    """
    fmt = format_of(fmt)
    if fmt.dtype is None:
        raise TypeError(f"{fmt} exists only inside of processors; no array can have it")
    x = np.asarray(x).astype(np.float64)
    if fmt.dtype == x.dtype:
        return x
    spacing = ulp(x, fmt)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.isfinite(x), np.rint(x / spacing) * spacing, x).astype(fmt.dtype)
