"""Make the pages light: what all of them load comes in two files, with only what the book uses.

The style sheets of Sphinx, the theme and the extensions become one, and so do their scripts, which
then do not keep a page from being painted. Of two thousand icons and as many letters of formulas,
the style sheet keeps those that are on a page, and so do the fonts. A figure has its size before it
is loaded, and is loaded when a reader comes near.
"""

import re
import shutil
from fnmatch import fnmatch
from pathlib import Path

import formulas
from docutils import nodes
from fontTools import subset
from sphinx.util.images import get_image_size

TEMPLATES = Path(__file__).with_name("templates")
STYLES = ["basic.css", "styles/pydata-sphinx-theme.css", "pygments.css"]
STYLES += ["styles/sphinx-book-theme.css", "copybutton.css", "mystnb.*.css", "exercise.css"]
STYLES += ["book.css"]
SCRIPTS = ["documentation_options.js", "doctools.js", "sphinx_highlight.js", "clipboard.min.js"]
SCRIPTS += ["copybutton.js", "scripts/sphinx-book-theme.js", "scripts/bootstrap.js"]
SCRIPTS += ["scripts/pydata-sphinx-theme.js"]
# What no page asks for, once the fonts have been taken out of it.
REMOVED = ["styles", "vendor", "locales", "scripts/fontawesome.js", "*.map"]

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NOTICE = re.compile("licen[cs]e|copyright", re.IGNORECASE)
TEXT = r"""(?:[^{}"]|"(?:[^"\\]|\\.)*")"""  # a string may hold a brace
RULE = re.compile(rf"({TEXT}++)(\{{{TEXT}*+\}})")
CLASS = re.compile(r"\.(-?[A-Za-z_][-\w]*)")
FONT = re.compile(r"@font-face[^{]*\{[^}]*\}")
CONTENT = re.compile(r"\"\\([0-9a-fA-F]+) ?\"|content:\s*\"([^\"\\])\"")


def use_two_files(app, pagename, templatename, context, doctree):
    """Take out of a page what the two files hold; the templates load those."""
    options = "DOCUMENTATION_OPTIONS."  # two that no page uses
    for kind, files in [("css_files", STYLES), ("script_files", SCRIPTS)]:
        context[kind] = [
            file
            for file in context[kind]
            if not any(fnmatch(str(file.filename), f"_static/{name}") for name in files)
            and not file.attributes.get("body", "").startswith(options)
        ]


def show_size(self, node):
    """Write an image with its size, so that it moves nothing, and load it when it comes near."""
    size = get_image_size(Path(self.builder.srcdir, node["uri"]))
    type(self).visit_image(self, node)
    size = ' width="{}" height="{}"'.format(*size) if size else ""
    self.body[-1] = self.body[-1].replace("<img", f'<img loading="lazy"{size}', 1)


def leave_image(self, node):
    """Do what the writer does after an image."""
    type(self).depart_image(self, node)


def write_two_files(app, exception):
    """Write the style sheet, its fonts and the script, and remove what they were made from."""
    static = Path(app.outdir, "_static")
    if exception or not (static / STYLES[0]).exists():  # another builder, or nothing was written
        return
    scripts = ";\n".join(read(static, SCRIPTS))
    (static / "script.js").write_text(scripts, "utf-8")
    pages = [path for path in Path(app.outdir).rglob("*.html") if static not in path.parents]
    texts = [path.read_text("utf-8") for path in [*pages, *static.rglob("*.js")]]
    words = set(re.findall(r"[-\w]+", "\n".join(texts)))
    *theirs, own = read(static, STYLES)
    theirs = keep_used("\n".join([*theirs, formulas.style(app.config)]), words)
    (static / "style.css").write_text(write_fonts(f"{theirs}\n{own}", static), "utf-8")
    for pattern in [*STYLES, *SCRIPTS, *REMOVED]:
        for path in static.rglob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def read(static, patterns):
    """Return the texts of some files, without the lines that name maps of their sources."""
    paths = [path for pattern in patterns for path in static.glob(pattern)]
    return [re.sub(r"/[/*]# sourceMappingURL=.*", "", p.read_text("utf-8")) for p in paths]


def keep_used(style, words):
    """Return a style sheet without the rules for classes that are not among some words."""

    def keep(rule):
        selectors = COMMENT.sub("", rule[1])
        if "(" in selectors:  # as :not(.one, .another)
            return rule[0]
        used = [s for s in selectors.split(",") if words.issuperset(CLASS.findall(s))]
        notices = "".join(COMMENT.findall(rule[1]))
        return f"{notices}{','.join(used)}{rule[2]}" if used else notices

    style = COMMENT.sub(lambda comment: comment[0] if NOTICE.search(comment[0]) else "", style)
    return RULE.sub(keep, style)


def write_fonts(style, static):
    """Write the fonts of a style sheet with the signs that it names; return the sheet for them."""
    signs = {sign or chr(int(code, 16)) for code, sign in CONTENT.findall(style)}
    fonts = {path.stem: path for path in formulas.FONTS.glob("*.woff")}
    fonts |= {path.stem: path for path in static.glob("vendor/fontawesome/webfonts/*.woff2")}
    (static / "fonts").mkdir(exist_ok=True)

    def write(face):
        family = re.search(r"font-family:\s*([^;}]+)", face[0])[1]
        name = re.search(r"([-\w]+)\.woff", face[0])[1]
        icons = name.startswith("fa-")  # their signs are in Unicode's area for private use
        if not icons and len(re.findall(rf"{family}\b", style)) == 1:  # no rule asks for it
            return ""
        write_font(fonts[name], {s for s in signs if (s >= "\ue000") == icons}, static / "fonts")
        return re.sub(r"src:[^;}]*", f'src: url("fonts/{name}.woff2") format("woff2")', face[0])

    return FONT.sub(write, style)


def write_font(path, signs, folder):
    """Write a font with some signs only; one that has none of them is there for its height."""
    options = subset.Options(flavor="woff2", drop_tables=["FFTM"])  # the date of its making
    font = subset.load_font(path, options)
    codes = font.getBestCmap()
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[code for code in codes if chr(code) in signs] or codes)
    subsetter.subset(font)
    subset.save_font(font, folder / f"{path.stem}.woff2", options)


def setup(app):
    """Register the extension with Sphinx."""
    app.config.templates_path.append(str(TEMPLATES))
    app.add_node(nodes.image, override=True, html=(show_size, leave_image))
    app.connect("html-page-context", use_two_files, priority=900)
    app.connect("build-finished", write_two_files, priority=900)  # after the theme colors code
    return {"parallel_read_safe": True, "parallel_write_safe": True}
