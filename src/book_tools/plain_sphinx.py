"""Write the configuration with which Sphinx alone builds the book: the way out of Jupyter Book 1.

Jupyter Book 1 is held at Sphinx 7, while the parts it is made of move ahead. ``python -m
book_tools.plain_sphinx .`` writes ``conf.py`` into the folder of ``_config.yml``, and the newest
Sphinx builds the same pages from it, here without executing them::

    sphinx-build -W -n -D nb_execution_mode=off . _build/plain

The pages, ``_toc.yml`` and the extensions in ``book/_ext`` stay as they are.
"""

import sys
from pathlib import Path

from jupyter_book.cli.main import main

EDITS = """
# What else Sphinx needs, added by book_tools.plain_sphinx.
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / folder) for folder in ("src", "book/_ext")]


def pairs(values):  # which YAML can write as lists only
    return [tuple(value) if isinstance(value, list) else value for value in values]


wrapper = {"jupyter_book", "sphinx_comments"}  # need an old Sphinx
extensions = [name for name in extensions if name not in wrapper]
html_css_files = pairs(html_css_files)
html_js_files = pairs(html_js_files)
nitpick_ignore_regex = pairs(nitpick_ignore_regex)
patches_any_version = True  # to see what newer ones break
del pairs
"""


def write(root):
    """Write the configuration that Jupyter Book uses, with what Sphinx needs without it.

    Parameters
    ----------
    root : pathlib.Path
        The folder of _config.yml and _toc.yml.

    Returns
    -------
    pathlib.Path
        The file ``conf.py`` in this folder.
    """
    main(["config", "sphinx", str(root)], standalone_mode=False)
    path = root / "conf.py"
    path.write_text(path.read_text(encoding="utf-8") + EDITS, encoding="utf-8")
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
