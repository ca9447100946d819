"""Make the site stand by itself: nothing from other hosts, no faults of the theme, one address.

Jupyter Book 1 is as good as finished, and its themes have faults that no option mends: a script
twice on a page, so that the console reports an error; half a megabyte of script for icons that are
there as a font; an identifier that every exercise repeats; names and roles that a screen reader
trips over. They are mended here, on the page as the templates have rendered it. MathJax comes from
a package, of which only the parts that a browser may ask for are copied.
"""

import html
import importlib.util
import re
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)


def _with_height(formula):
    """Give a displayed formula about the height, in rem, that MathJax will need, fitted to ours."""
    rows = formula[2].split(r"\\")
    tall = sum(r"\frac" in row for row in rows)
    less = sum(bool(re.search(r"\\(sum|max|sqrt)", row)) and r"\frac" not in row for row in rows)
    height = 2.4 + 1.75 * len(rows) + 1.65 * tall + 0.95 * less
    return f'{formula[1]} style="--height: {height:.2f}rem">{formula[2]}</div>'


NO_WIDTH = r"\\(?:begin|end)\{\w+\}|\\(?:text|operatorname|math\w+|hat|left|right)\b|\\[,;! ]|\s"
OPERATOR = r"[-+=<>]|\\(?:approx|cdot|ge|gg|in|le|ll|ne|pm|quad|times|to)(?![a-z])"
SCRIPT = r"[\^_](\{[^{}]*\}|\\[a-z]+|.)"
SYMBOL = r"\\(?!softmax|lse|log|exp|max|min|ulp)[a-zA-Z]+"


def _with_width(formula):
    """Give a formula in a line about the width, in em, that MathJax will need, fitted to ours.

    The comma or point after it comes along: it would else begin a line of its own.
    """

    def signs(tex):
        return len(re.sub(r"[{}\\]", "", re.sub(SYMBOL, "a", tex)))

    tex = re.sub(NO_WIDTH, "", html.unescape(formula[2])[2:-2])
    tex, operators = re.subn(OPERATOR, "", tex)
    scripts = sum(map(signs, re.findall(SCRIPT, tex)))
    width = 1.52 * operators + 0.46 * scripts + 0.61 * signs(re.sub(SCRIPT, "", tex))
    width += 0.32 * len(formula[3])
    return f'{formula[1]} style="--width: {width:.2f}em">{formula[2]}{formula[3]}</span>'


# What the theme does when a page has been painted, a moment before.
RESOLVE_THEME = r"""\1;
    if (!["light", "dark"].includes(document.documentElement.dataset.theme))
      document.documentElement.dataset.theme =
        matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";"""
SCROLL_SIDEBAR = """<script>{
  const bar = document.getElementById("pst-primary-sidebar");
  const active = [...bar.querySelectorAll(".bd-docs-nav .active")].pop()?.getBoundingClientRect().y;
  const before = sessionStorage.getItem("sidebar-scroll-top");
  const hidden = active < before || active > Number(before) + innerHeight - 40;
  if (hidden) sessionStorage.removeItem("sidebar-scroll-top"); // the theme would restore it
  if (before !== null && !hidden) bar.scrollTop = before;
  else if (active > innerHeight / 2) bar.scrollTop = active - bar.clientHeight / 4;
}</script>
"""

# What to change on a page, and why.
REPAIRS = [
    # The icons are a web font. Upstream: pydata-sphinx-theme #2379.
    (r"\s*<!-- So that users can add custom icons -->\s*<script [^>]*></script>", ""),
    # Thebe would fetch its code from another host; it is off, and is announced twice all the same.
    (r'\s*<link [^>]*sphinx-thebe\.css[^>]*/>', ""),
    (r'\s*<script [^>]*sphinx-thebe\.js[^>]*></script>', ""),
    (r"\s*<script>const THEBE_JS_URL.*?</script>", ""),
    (r'\s*<script type="text/x-thebe-config">.*?</script>\s*<script>kernelName = .*?</script>', ""),
    # The book has no tabs and nothing that toggles.
    (r"\s*<link [^>]*(?:sphinx-design|togglebutton)[^>]*/>", ""),
    (r"\s*<script [^>]*(?:design-tabs|togglebutton)[^>]*></script>", ""),
    (r"\s*<script>(?:let toggle\w+|var togglebuttonSelector) = [^<]*</script>", ""),
    # One viewport is enough.
    (r'(<meta name="viewport"[^>]*>)\s*<meta name="viewport"[^>]*>', r"\1"),
    (r'\s*<meta name="viewport" content="width=device-width, initial-scale=1"/>', ""),
    # A control is called what is written on it.
    (r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"', r"\1"),
    (r'(<i class="theme-switch [^>]*?) title="[^"]*"', r'\1 aria-hidden="true"'),
    (r'<summary aria-label="[^"]*">', "<summary>"),
    # The name of the site stands in a landmark.
    (r'(<div id="pst-primary-sidebar")', r'\1 role="complementary" aria-label="Site"'),
    # A page is light or dark before it is painted, if the system decides, and without scripts.
    (r'(<html [^>]*data-theme=)"auto"', r'\1"light"'),
    (r'(dataset\.theme = localStorage\.getItem\("theme"\)) \|\| "\w*";', RESOLVE_THEME),
    # The sidebar shows the chapter before the page is painted, and does not jump to it.
    (r'(<main id="main-content")', SCROLL_SIDEBAR + r"\1"),
    # A list of references is a list: the role doc-biblioentry is deprecated.
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # The space before the name of an exercise is no part of the link.
    (r"(Solution to)(<a [^>]*>) ", r"\1 \2"),
    # Every exercise of a page has the same identifier for its text, and every solution.
    (r'<section id="(?:exercise|solution)-content">', "<section>"),
    # A page that only a template makes has no title for print.
    (r'(id="jb-print-docs-body" class="onlyprint">\s*)<h1></h1>', r"\1"),
    # A summary holds phrases, no paragraphs.
    (r'<p class="(\w+ admonition-title)">(.*?)</p>', r'<span class="\1">\2</span>'),
    # No paragraph holds a list (the field lists of functions that return several things).
    (r'<p>(<ul class="simple">\s*(?:<li>.*?</li>\s*)*</ul>)\s*</p>', r"\1"),
    # An image is in a box of its own, so that on a phone it can scroll and its caption stays.
    (r"(<figure [^>]*>\s*)(<img [^>]*>)", r'\1<div class="figure-box">\2</div>'),
    # What follows a formula stays in its place when the formula has been set, and beside it.
    (r'(<span class="math notranslate nohighlight")>(.*?)</span>([,.;:?!)]*)', _with_width),
    (r'(<div class="math notranslate nohighlight"[^>]*)>(.*?)</div>', _with_height),
    # A header that says nothing is none.
    (r'<th class="head[^"]*"><p></p></th>', "<td></td>"),
]  # fmt: skip
REPAIRS = [(re.compile(pattern, re.DOTALL), new) for pattern, new in REPAIRS]

# What a browser never asks for: other builds of MathJax, and its parts once more for Node.
NOT_COPIED = ["*-full*.js", "*svg*.js", "*mml*.js", "node-main.js", "latest.js", "loader.js"]
NOT_COPIED += ["core.js", "startup.js", "adaptors", "output/svg", "output/svg.js"]


def repair(page):
    """Return the HTML of a page without the faults of the theme.

    Parameters
    ----------
    page : str

    Returns
    -------
    str
    """
    for pattern, new in REPAIRS:
        page = pattern.sub(new, page)
    return page


def repair_every_page(app):
    """Let each page pass through `repair` after its template has rendered it."""
    if app.builder.format != "html":
        return
    render = app.builder.templates.render

    def render_repaired(*arguments):
        return repair(render(*arguments))

    app.builder.templates.render = render_repaired


def use_one_address(app, config):
    """Give the extensions that need the address of the site the one that the settings know."""
    config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = f"{urlsplit(config.html_baseurl).path.rstrip('/')}/"


def use_local_mathjax(app, config):
    """Take MathJax from its package, as a static file of the site."""
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    config.html_static_path.append(str(package / "static"))
    config.exclude_patterns += [f"mathjax/{pattern}" for pattern in NOT_COPIED]
    config.mathjax_path = "mathjax/tex-chtml.js"


def check_figures(app, doctree, docname):
    """Warn of an image that says nothing to those who do not see it, or stands without a caption.

    MyST-NB puts the name of the file where an alternative text is missing.
    """
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "")
        if not alt or alt.endswith((".svg", ".png")):
            logger.warning("image without alternative text: %s", image["uri"], location=image)
        figure = image.parent
        if not (isinstance(figure, nodes.figure) and any(figure.findall(nodes.caption))):
            logger.warning("image without a caption: %s", image["uri"], location=image)


def name_rows(app, doctree):
    """Make the first column of a table headers of rows, if its own header is empty."""
    for table in doctree.findall(nodes.table):
        first = next(table.findall(nodes.entry), None)
        if first is not None and first.parent.parent.tagname == "thead" and not first.astext():
            next(table.findall(nodes.colspec))["stub"] = 1


def describe_once(app, doctree):
    """Let social media show the description that search engines show."""
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            app.env.metadata[app.env.docname]["og:description"] = meta["content"]


def keep_the_index_to_terms(app, doctree):
    """Take functions out of the index, where they would hide the terms: a page lists them."""
    entries = app.env.get_domain("index").entries[app.env.docname]
    entries[:] = [entry for entry in entries if "stable_softmax" not in entry[2]]


def remove_old_pages(app, env, docnames):
    """Remove pages and notebooks that an earlier build left and the book no longer has.

    An edition without solutions must not carry those of the edition before it.
    """
    sources = Path(app.outdir) / "_sources"
    for source in sources.rglob("*.md"):
        name = source.relative_to(sources).with_suffix("").as_posix()
        if name not in env.found_docs:
            notebook = f"notebooks/{name.removeprefix('book/')}.ipynb"
            for path in [f"_sources/{name}.md", f"{name}.html", notebook]:
                (Path(app.outdir) / path).unlink(missing_ok=True)


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("config-inited", use_one_address)
    app.connect("config-inited", use_local_mathjax)
    app.connect("builder-inited", repair_every_page)
    app.connect("env-before-read-docs", remove_old_pages)
    app.connect("doctree-read", name_rows)
    app.connect("doctree-read", describe_once)
    app.connect("doctree-read", keep_the_index_to_terms)
    app.connect("doctree-resolved", check_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
