"""Let readers search the page of bugs in place, link to each of its rows, and find it from a 404.

Without a script the page is a page of tables, complete as it is.
"""

import re

from docutils import nodes

PAGE = "book/find_my_bug"
NOT_FOUND = """
<h1>Page not found</h1>
<p>There is no page at this address. If a link led you here, please report it.</p>
<form class="find-my-bug" action="{root}book/find_my_bug.html" method="get">
<label>What has your program printed? <input type="search" name="q"></label>
<button type="submit">Find my bug</button>
</form>
<ul>
<li><a href="{root}book/find_my_bug.html">Find my bug</a>: numbers, messages and what to call
instead</li>
<li><a href="{root}search.html">Search the book</a></li>
<li><a href="{root}index.html">Start at the cover</a></li>
</ul>
"""
FORM = """
<form class="find-my-bug pst-js-only d-print-none" role="search" aria-label="Bugs">
<label>What do you see?
<input type="search" name="q" placeholder="16.118" autocomplete="off" spellcheck="false"></label>
<label>Calls of
<select name="library">
<option value="">every library</option>
<option value="numpy">NumPy</option>
<option value="torch">PyTorch</option>
<option value="mxnet">MXNet</option>
<option value="jax">JAX</option>
<option value="tensorflow">TensorFlow</option>
</select></label>
<output>{rows} of {rows} rows</output>
</form>
"""


def name_rows(app, doctree):
    """Give each row an identifier, made from what is printed in it, and put the form before them.

    A form that its script put there would push the rows down before the eyes of a reader.
    """
    if app.env.docname != PAGE:
        return
    rows = 0
    for body in doctree.findall(nodes.tbody):
        body.parent.parent["classes"].append("bugs")
        for row in body.findall(nodes.row):
            row["ids"].append(nodes.make_id(f"bug {in_words(row[0].astext())}"))
            rows += 1
    page = doctree.next_node(nodes.section)
    first = page.first_child_matching_class((nodes.section, nodes.table))
    page.insert(first, nodes.raw("", FORM.format(rows=rows), format="html"))


def in_words(text):
    """Return a text with its minus signs in words: an identifier has no sign."""
    return re.sub(r"-(?=\d|inf)", "minus ", text)


def load_script(app, pagename, templatename, context, doctree):
    """Load the script of the page on this page only."""
    if pagename == PAGE:
        app.add_js_file("find_my_bug.js", defer="defer")


def offer_on_404(app, config):
    """Answer a wrong address with a way on: a server shows the page in any folder."""
    body = NOT_FOUND.format(root=config.notfound_urls_prefix)
    config.notfound_context = {"title": "Page not found", "body": body}


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", offer_on_404, priority=900)  # the prefix is known by then
    app.connect("doctree-read", name_rows)
    app.connect("html-page-context", load_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
