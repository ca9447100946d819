"""A tiny site, with each thing that the extensions of the book look for."""

import shutil

import yaml

from tests.pages import ROOT

# The extensions of the book, but for those that execute, publish notebooks or have their own tests.
EXTENSIONS = [
    name
    for name in yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["extensions"]
    if name not in {"exec_cache", "explorable", "notebooks", "warn_again"}
]
CONFIG = {
    "title": "Tiny",
    "html": {"baseurl": "https://tiny.example.org/book/"},
    "repository": {"url": "https://github.com/tiny/tiny"},
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "execute": {"execute_notebooks": "off"},
    "bibtex_bibfiles": ["references.bib"],
    "sphinx": {
        "recursive_update": True,
        "local_extensions": {"patches": "book/_ext"},
        "config": {
            "html_theme_options": {"navbar_persistent": []},
            "html_context": {"default_mode": "auto"},
            "sitemap_url_scheme": "{link}",
        },
    },
}
TOC = "{format: jb-book, root: index, chapters: [{file: other}]}"
PAGE = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
myst: {html_meta: {description: What a tiny book says.}}
---
# Tiny

```{index} smallness
```

A formula, $x^2$, and what {cite:t}`someone` says.

$$
\\begin{aligned}
x &= \\frac{1}{2} \\\\
&= 0.5
\\end{aligned}
$$ (eq-one)

:::{exercise}
:label: one

Do it.
:::

:::{exercise}
:label: two

Do it again.
:::

|  | value |
|:---|---:|
| first | 1 |

```{code-cell} ipython3
:tags: [hide-input]

1 + 1
```

:::{figure} picture.svg
:name: fig-picture
:alt: A red square.

A square is red.
:::

:::{solution} one
:label: solved

Done.
:::

```{eval-rst}
.. py:function:: stable_softmax.tiny.f()

   :returns: * one thing
             * another
```

```{bibliography}
```
"""
SQUARE = (
    """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>"""
)
OLD = ["_sources/book/old.md", "book/old.html", "notebooks/old.ipynb"]
KEPT = ["_sources/other.md", "notebooks/other.ipynb"]
SOURCE = "@book{someone, author={Some One}, title={Some Title}, year=1999, publisher={Some}}"


def write(folder, page=PAGE, extensions=EXTENSIONS):
    """Write the sources of the site into a folder, and return it."""
    for part in ["_ext", "run_in_page"]:
        shutil.copytree(ROOT / "book" / part, folder / "book" / part, dirs_exist_ok=True)
    sphinx = CONFIG["sphinx"]
    config = CONFIG | {"sphinx": sphinx | {"config": sphinx["config"] | {"extensions": extensions}}}
    files = {"_config.yml": yaml.safe_dump(config), "_toc.yml": TOC, "other.md": "# Other\n"}
    files |= {"picture.svg": SQUARE, "references.bib": SOURCE, "index.md": page}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder
