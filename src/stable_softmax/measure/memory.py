"""How much memory a call takes, counted and not timed: the same on every machine."""

import tracemalloc


def peak_memory(f, *arguments, **keywords):
    """Return how many bytes NumPy and Python held at most during a call, besides its arguments.

    PyTorch's own memory is not seen.

    Parameters
    ----------
    f : callable
    *arguments, **keywords
        Of the call. Its result counts, unless it was there before.

    Returns
    -------
    int
    """
    tracemalloc.start()
    try:
        f(*arguments, **keywords)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
