"""Make the ways through the book short: one entry for each part that few readers want, one menu.

The sidebar begins with "Cover", since the title of the book is above it, and folds the parts that
repeat the chapters: the solutions, and the rooms of the package. The part that has the page
of the reader is open. The theme has four menus of buttons above a page; here it is one, in words.
"""

import re

FOLDED = ["The package", "Solutions"]
PART = re.compile(
    r'<p [^>]*class="caption"[^>]*>(<span class="caption-text">'
    rf"({'|'.join(FOLDED)})</span>)</p>\s*(<ul.*?</ul>)",
    re.DOTALL,
)
WORDS = {  # of the theme's buttons, in the order of the menu
    "Binder": "Run on Binder",
    "Colab": "Run on Colab",
    "JupyterHub": "Run on JupyterHub",
    ".ipynb": "Notebook",
    ".pdf": "Print",
    ".md": "Source of the page",
    "Repository": "Source of the book",
    "Suggest edit": "Suggest a change",
    "Open issue": "Report an error",
    "": "Full screen",
}


def fold_part(part):
    """Return a part of the sidebar that opens at a click, or is open if it has the page."""
    title, caption, pages = part.groups()
    opened = " open" if "current" in pages.partition(">")[0] else ""
    pages = re.sub(f">{caption}: (.)", lambda first: f">{first[1].upper()}", pages)
    return f'<details class="part"{opened}><summary>{title}</summary>\n{pages}</details>'


def shorten_sidebar(app, pagename, templatename, context, doctree):
    """Fold some parts of the sidebar, and name its first entry."""
    write = context.get("generate_toctree_html")
    if write and app.builder.format == "html":
        context["generate_toctree_html"] = lambda *arguments, **options: PART.sub(
            fold_part, str(write(*arguments, **options))
        )
        context["root_title"] = "Cover"


def join_menus(app, pagename, templatename, context, doctree):
    """Join the theme's menus above a page, and say in words what each button does."""
    groups = context.get("header_buttons") or []
    buttons = [button for group in groups for button in group.get("buttons", [group])]
    order = list(WORDS)
    buttons.sort(key=lambda b: order.index(b.get("text", "")) if b.get("text", "") in order else 99)
    buttons = [
        {key: value for key, value in button.items() if key not in {"tooltip", "classes"}}
        | {"text": WORDS.get(button.get("text", ""), button.get("text"))}
        for button in buttons
    ]
    if buttons:
        menu = {"type": "group", "icon": "fas fa-ellipsis-vertical", "buttons": buttons}
        context["header_buttons"] = [menu | {"tooltip": "More", "label": "more-buttons"}]


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("html-page-context", shorten_sidebar, priority=900)  # after the theme
    app.connect("html-page-context", join_menus, priority=900)  # and after notebooks.py
    return {"parallel_read_safe": True, "parallel_write_safe": True}
