"""The libraries that come with an extra, and what is said where one of them is missing."""

from contextlib import contextmanager


@contextmanager
def needs(extra):
    """Say what to install if an import in the body of the `with` statement fails.

    Parameters
    ----------
    extra : str
        What brings the library: the name of an extra of the package.

    Raises
    ------
    ImportError
        One sentence: what is missing, and the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = error.name.partition(".")[0]
        raise ModuleNotFoundError(
            f"{library} is missing here: pip install 'stable-softmax[{extra}]'", name=library
        ) from None
