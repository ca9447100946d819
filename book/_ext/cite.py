"""Write the entry with which the book is cited, from CITATION.cff: nobody keeps a second one.

The year is that of the copyright, and the address that of the site, both from the settings.
"""

import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ENTRY = """\
@software{{{key},
  author  = {{{author}}},
  title   = {{{title}}},
  version = {{{version}}},
  year    = {{{year}}},
  url     = {{{url}}},
}}"""


def bibtex(citation, year, url):
    """Return an entry of BibTeX.

    Parameters
    ----------
    citation : dict
        The content of CITATION.cff.
    year, url : str

    Returns
    -------
    str
    """
    names = [f"{{{entity['name']}}}" for entity in citation["authors"]]  # a group has no first name
    key = "_".join(re.findall(r"\w+", citation["title"].lower()))
    return ENTRY.format(
        key=key,
        author=" and ".join(names),
        title=f"{{{citation['title']}}}",  # its capitals stay
        version=citation["version"],
        year=year,
        url=url,
    )


class Citation(SphinxDirective):
    """The entry as a listing, which has a button to copy it."""

    def run(self):
        """Read CITATION.cff and return the listing."""
        source = Path(self.env.srcdir) / "CITATION.cff"
        self.env.note_dependency(str(source))
        citation = yaml.safe_load(source.read_text(encoding="utf-8"))
        text = bibtex(citation, self.config.copyright, self.config.html_baseurl)
        return [nodes.literal_block(text, text, language="bibtex")]


def setup(app):
    """Register the extension with Sphinx."""
    app.add_directive("citation", Citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
