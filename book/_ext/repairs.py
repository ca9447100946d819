"""What to change on a page as the templates have rendered it, because no option mends it.

The theme, Sphinx and MyST-NB have faults that readers meet: an identifier that every exercise
repeats; names and roles that a screen reader trips over. The extension ``patches`` applies these
repairs to every page, and knows for which versions they were tried.
"""

import re

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
  if (before !== null && !hidden) bar.scrollTop = before;
  else if (active > innerHeight / 2) bar.scrollTop = active - bar.clientHeight / 4;
  sessionStorage.setItem("sidebar-scroll-top", bar.scrollTop); // the theme restores it
}</script>
"""

# What to change on a page, and why.
REPAIRS = [
    # The search of Sphinx: sections.py has another one, and its scripts block every page.
    (r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^>]*></script>', ""),
    # One viewport is enough.
    (r'(<meta name="viewport"[^>]*>)\s*<meta name="viewport"[^>]*>', r"\1"),
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
    # A sign after a formula stays in the line of the formula.
    (r'(<span class="math [^>]*>(?:(?!</span>).)*)</span>([,.;:?!)]+)', r"\1\2</span>"),
    # The logos of a menu are loaded when it is opened, and say nothing beside its words.
    (r'<img alt="[\w ]+ logo"', r'<img loading="lazy" alt=""'),
    # A header that says nothing is none.
    (r'<th class="(?:head|stub)[^"]*"><p></p></th>', "<td></td>"),
]  # fmt: skip
REPAIRS = [(re.compile(pattern, re.DOTALL), new) for pattern, new in REPAIRS]


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
