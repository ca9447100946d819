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


def first_cell_source(title, address, packages):
    """Return the code that installs packages where they are missing.

    Parameters
    ----------
    title, address : str
        Where the notebook comes from, for a comment.
    packages : dict of str to str
        For each module that is imported, what pip is told.

    Returns
    -------
    str
    """
    lines = "\n".join(f'    "{module}": "{package}",' for module, package in packages.items())
    return FIRST_CELL.format(title=title, address=address, packages=lines)
