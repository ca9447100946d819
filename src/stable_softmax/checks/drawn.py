"""Numbers for drawn cases: few digits, so that a failing call is short to print."""


def eighths(rng, *shape, within=2):
    """Draw multiples of 1/8, whose differences are exact in float16 and every longer format.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : int
    within : int
        The largest size of a number.

    Returns
    -------
    numpy.ndarray of float64
    """
    return rng.integers(-8 * within, 8 * within + 1, size=shape) / 8


def one_of(rng, choices):
    """Draw one of some objects.

    Parameters
    ----------
    rng : numpy.random.Generator
    choices : sequence

    Returns
    -------
    object
    """
    return choices[rng.integers(len(choices))]


def positive(rng, *shape):
    """Draw numbers of three decimals, from 0.001 to 0.999.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : int

    Returns
    -------
    numpy.ndarray of float64
    """
    return rng.integers(1, 1000, size=shape) / 1000
