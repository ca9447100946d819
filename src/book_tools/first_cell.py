"""The first cell of a published notebook, for the chapters and for the assignments."""

FIRST_CELL = """\
# {title}: {address}
# Run this cell first: it installs what is missing here, as on Colab.
from importlib.util import find_spec

packages = {{
{packages}
}}
missing = [packages[module] for module in packages if find_spec(module) is None]
if missing:
    print("Installing", *missing)
    %pip install --quiet {{" ".join(missing)}}"""


def first_cell_source(title, address, repository, branch, others=()):
    """Return the code that installs the package, and others, where they are missing.

    Parameters
    ----------
    title, address : str
        Where the notebook comes from, for a comment.
    repository, branch : str
        Where the package is.
    others : dict of str to str, optional
        For each other module that is imported, what pip is told.

    Returns
    -------
    str
    """
    source = f"{repository}/archive/{branch}.zip"  # pip needs no git for it
    packages = {"stable_softmax": f"stable-softmax[book]@{source}"} | dict(others)
    lines = "\n".join(f'    "{module}": "{package}",' for module, package in packages.items())
    return FIRST_CELL.format(title=title, address=address, packages=lines)
