"""The house rules of the book, checked by machine: rules that are only written decay."""

import ast
import collections
import re

import jupytext
import pytest
import yaml

from tests.pages import BELITTLING, CHAPTERS, MODULES, PAGES, ROOT, SOLUTIONS, SOURCE, TOC, read

BEFORE_NUMBERS = "book/network"  # has explained neither formats nor errors
REFERENCE_CHAPTER = "book/corrections"  # a collection: longer, with headings of its own
HEADINGS = ["Summary", "Exercises", "Further reading"]
EXERCISE = r"^:::\{exercise\}.*\n:label: (\S+)"
INDEX = r"^```\{index\} (.+)\n```\n"
ABSENT = {"torch", "scipy", "sklearn", "mxnet", "ml_dtypes"}  # from a page that runs its cells
NAMES = {"Sterbenz\N{RIGHT SINGLE QUOTATION MARK}s lemma", "TwoSum"}  # of the index, in capitals


def prose(page):
    """The Markdown of a page without its header, index, code and its directives' options."""
    text = re.sub(r"\A---.*?^---\n", "", read(page), flags=re.S | re.M)
    text = re.sub(INDEX, "", text, flags=re.M)
    text = re.sub(r"^```\{code-cell\}.*?^```$", "", text, flags=re.S | re.M)
    return re.sub(r"^:\w+:.*$", "", text, flags=re.M)


def header(page):
    found = re.match(r"---\n(.*?)^---\n", read(page), flags=re.S | re.M)
    return yaml.safe_load(found[1]) if found else {}


def description(page):
    return header(page).get("myst", {}).get("html_meta", {}).get("description", "")


def cells(page):
    return [c for c in jupytext.read(ROOT / f"{page}.md").cells if c.cell_type == "code"]


def is_exercise(cell):
    return "exercise" in cell.metadata.get("tags", [])


def is_figure(cell):
    return "figure" in cell.metadata.get("mystnb", {})


def code_lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def imported(cell):
    """The libraries that a cell imports by statements of its own, not inside of others."""
    names = [
        [node.module] if isinstance(node, ast.ImportFrom) else [part.name for part in node.names]
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    return {name.partition(".")[0] for part in names for name in part}


def names_imported(cell):
    """The names that a cell binds by imports of its own."""
    return {
        part.asname or part.name.partition(".")[0]
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for part in node.names
    }


def names_used(cell):
    return {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}


def section(page, heading):
    text = prose(page)
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, flags=re.S | re.M)
    return found[1] if found else ""


def labels(page, pattern):
    return re.findall(pattern, read(page), flags=re.M)


def every(pages):
    return pytest.mark.parametrize("page", pages)


def test_every_page_of_the_book_is_in_the_table_of_contents():
    files = {p.relative_to(ROOT).with_suffix("").as_posix() for p in (ROOT / "book").rglob("*.md")}
    files -= {page for page in files if page.startswith("book/assignments/")}
    assert files | {"index", "genindex"} == set(PAGES), "add the page to _toc.yml, or delete it"
    assert set(CHAPTERS) <= set(PAGES)


@every(["index", *CHAPTERS, *SOLUTIONS])
def test_the_header_is_the_same_everywhere_but_for_the_description(page):
    same = {key: value for key, value in header("index").items() if key != "myst"}
    expected = {**same, "myst": {"html_meta": {"description": description(page)}}}
    assert header(page) == expected, "copy the header of index.md, and describe the page"


@every([page for page in PAGES if page != "genindex"])
def test_every_page_has_a_description_for_those_who_search(page):
    text = description(page)
    assert 70 <= len(text) <= 155, f"{len(text)} characters"
    assert text.endswith(".") and not re.search(r'[$`\\<>&"*{}_]', text), "plain words, no markup"
    assert text.startswith("Solutions to the exercises of ") == (page in SOLUTIONS)
    assert [text] == [d for d in map(description, PAGES) if d == text], "another page has it, too"


@every(CHAPTERS)
def test_a_chapter_opens_as_the_template_says(page):
    name = page.removeprefix("book/")
    body = re.sub(r"\A---.*?^---\n", "", read(page), flags=re.S | re.M)
    assert body.startswith(f"(ch-{name.replace('_', '-')})=\n# "), "start with the label and title"
    lead = body.split("\n\n")[1]
    assert len(lead.split()) <= 80, "the lead has at most 80 words"
    box = body.split("```{code-cell}")[0]
    assert ":class: in-this-chapter" in box
    assert re.search(r"\*\*Time:\*\* \d+ minutes to read, \d+ with the exercises$", box, re.M)


def test_the_cover_knows_how_long_its_core_takes():
    core = [c["file"] for part in TOC["parts"][:4] for c in part["chapters"]]
    times = [re.search(r"(\d+) minutes to read, (\d+) with the exercises", read(c)) for c in core]
    hours = [round(sum(int(found[i]) for found in times) / 60) for i in (1, 2)]
    told = re.search(r"about (\d+) hours to read, and about (\d+) hours with", read("index"))
    assert [int(told[1]), int(told[2])] == hours


@every(CHAPTERS)
def test_a_chapter_ends_as_the_template_says(page):
    found = re.findall(r"^## (.+)$", prose(page), flags=re.M)
    assert found[-3:] == HEADINGS, f"the last headings must be {HEADINGS}"
    titles = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    camel = [t for t in titles if re.search(r" [A-Z][a-z]+ [A-Z][a-z]+", t)]
    assert not camel, f"headings are in sentence case: {camel}"


def test_the_page_to_play_names_every_figure_that_one_plays_with():
    names = [name for page in PAGES for name in labels(page, r"^:name: (exp-\S+)$")]
    listed = re.findall(r"^- \{ref\}`[^`<]+ <(exp-[\w-]+)>`: .+\?", read("book/play"), re.M)
    assert sorted(listed) == sorted(names), "a line for each, with a question"
    number = {9: "Nine", 10: "Ten", 11: "Eleven", 12: "Twelve"}[len(names)]
    assert re.findall(r"\b(\w+) figures", read("book/play"))[1] == number
    assert f"{number} figures" in read("index") and f"{number} figures" in description("book/play")


def test_the_cover_shows_no_code_and_its_notebook_has_the_experiment():
    (cell,) = cells("index")
    assert cell.metadata["tags"] == ["notebook-only"], "nobody opens a book at its imports"
    assert {"cross_entropy_naive", "cross_entropy_epsilon"} <= names_imported(cell)


@every(CHAPTERS)
def test_the_import_cell_is_short_and_sets_the_style(page):
    first = cells(page)[0]
    assert len(ast.parse(first.source).body) <= 10, "import less, or from fewer modules"
    assert code_lines(first)[-1] == "use_book_style()"
    assert "hide-input" in first.metadata["tags"], "a page opens with its question"
    assert not ABSENT & imported(first), "a page in a browser lacks it: import it where it is used"
    before = set()
    for cell in cells(page)[1:]:
        assert imported(cell) <= ABSENT, "all that a browser has is imported by the first cell"
        assert names_imported(cell) <= names_used(cell) - before, "import it where it is first used"
        before |= names_used(cell)
        top = [line.startswith(("import ", "from ")) for line in code_lines(cell)]
        assert top == sorted(top, reverse=True), "imports come first"


@every(["index", *CHAPTERS])
def test_cells_are_short(page):
    for cell in cells(page)[1:]:
        lines = [line for line in code_lines(cell) if not line.startswith(("import ", "from "))]
        folded = is_exercise(cell) or "hide-input" in cell.metadata.get("tags", [])
        most = 15 if folded else 8
        assert len(lines) <= most, f"split this cell or move code to src:\n{cell.source}"


@every(CHAPTERS)
def test_a_chapter_has_the_size_of_a_chapter(page):
    words = len(re.findall(r"\w+", prose(page)))
    shown = [c for c in cells(page) if not is_exercise(c)]
    assert len(shown) >= 8
    if page != REFERENCE_CHAPTER:
        # 1200 to 2000 words of prose; formulas, tables, exercises and roles count here as well
        assert 1200 <= words <= 3200, f"{words} words"
        assert len(shown) <= 18, f"{len(shown)} cells before the exercises"


@every(["index", *CHAPTERS])
def test_every_figure_has_a_name_a_caption_and_a_description(page):
    for cell in cells(page):
        if not is_figure(cell):
            continue
        options = cell.metadata["mystnb"]
        assert options["figure"]["name"].startswith("fig-"), cell.source
        assert options["figure"]["caption"].endswith("."), "the caption is a sentence"
        alt = options["image"]["alt"]
        assert len(alt) > 40 and not re.search(r"\.(png|svg)$", alt), f"describe the figure: {alt}"
        assert f"`{options['figure']['name']}`" in prose(page), "read every figure in the text"


@every(PAGES)
def test_no_text_looks_for_a_panel_at_a_side_since_a_phone_stacks_them(page):
    captions = [
        options["figure"]["caption"]
        for cell in cells(page)
        if "figure" in (options := cell.metadata.get("mystnb", {}))
    ]
    aside = re.findall(r"\([^()]*\b(?:left|right|above|below|row)\)", "\n".join(captions))
    sides = r"(?:^|[.:] )On the (?:left|right)\b[^.]*|(?:left|right|upper|lower) (?:panel|row)s?\b"
    assert aside + re.findall(sides, prose(page), flags=re.M) == [], "say: in the first panel"


@every(PAGES)
def test_code_fits_the_width_of_a_page(page):
    # in the box of a solution there is a little less room: the tests of the site look there as well
    long = [line for cell in cells(page) for line in cell.source.splitlines() if len(line) > 88]
    assert not long, "break these lines:\n" + "\n".join(long)


@every(["index", *CHAPTERS])
def test_every_drawing_cell_is_a_figure(page):
    for cell in cells(page):
        draws = re.search(r"\b(new_axes|plot_error|plot_values|draw_network)\(", cell.source)
        assert not draws or is_figure(cell), f"give this figure a caption:\n{cell.source}"
        folded = "hide-input" in cell.metadata.get("tags", [])
        assert not draws or folded, f"fold what only draws: hide-input\n{cell.source}"


@every(PAGES)
def test_a_reference_to_an_equation_stands_in_its_own_parentheses(page):
    assert not re.search(r"\(\{eq\}`[^`]+`\)", read(page)), "the number has them: (1.2)"


def test_no_line_of_a_docstring_ends_within_a_word():
    """Where the lines are joined, there would be a space after the hyphen."""
    broken = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / "src").rglob("*.py")
        for line in "".join(re.findall(r'"""(?s:.*?)"""', path.read_text())).splitlines()
        if re.search(r"\w-$", line)
    ]
    assert not broken, "\n".join(broken)


@every(["index", *CHAPTERS])
def test_what_a_box_asks_to_predict_is_behind_a_click(page):
    parts = re.split(r"^(?=:::\{admonition\} Predict\n)", read(page), flags=re.M)[1:]
    for part in parts:
        assert part.startswith(":::{admonition} Predict\n:class: tip predict\n"), part[:80]
        cell = re.search(r"^```\{code-cell\} ipython3\n(.*?)^```$", part, flags=re.M | re.S)
        assert cell and re.search(r"tags: \[.*hide-output.*\]", cell[1]), (
            f"hide-output:\n{part[:300]}"
        )


@every(CHAPTERS)
def test_an_exercise_says_whether_it_is_done_by_hand_and_has_a_hint(page):
    parts = re.split(r"^(?=:::\{exercise\} )", section(page, "Exercises"), flags=re.M)[1:]
    whole = re.split(r"^(?=:::\{exercise\} )", read(page), flags=re.M)[1:]
    assert len(parts) == len(whole), "exercises are in the section Exercises"
    for text in whole:
        mark = "⌨" if "tags: [exercise]" in text else "✍"
        assert text.startswith(f":::{{exercise}} {mark} ") or (
            mark == "✍" and text.startswith(":::{exercise} ⌨ ")  # by computer, and not checked
        ), f"begin the title with {mark}: {text[:60]}"
        assert text.count("\n:::{hint}\n") == 1, f"a folded hint below the exercise: {text[:60]}"


@every([c for c in CHAPTERS if c != REFERENCE_CHAPTER])
def test_every_chapter_shows_error_behavior(page):
    figures = [c for c in cells(page) if is_figure(c)]
    assert 1 <= len(figures) <= 5
    shows_error = any("error" in c.source for c in figures)
    assert shows_error != (page == BEFORE_NUMBERS), "draw an error against exact values"


@every(["index", *CHAPTERS])
def test_a_chapter_sets_no_size_color_or_style(page):
    pattern = r"figsize|rcParams|fontsize|color=|linestyle=|#[0-9a-f]{6}|plt\.|retina"
    for cell in cells(page):
        assert not re.search(pattern, cell.source), f"use notebook.display:\n{cell.source}"


@every(["index", *CHAPTERS])
def test_chapters_define_no_algorithm(page):
    for cell in cells(page):
        if is_exercise(cell):
            continue
        defined = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.FunctionDef)]
        assert not defined, f"move {defined[0].name} to src, with a test, and import it"
        hidden = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Lambda)]
        hidden = [n for n in hidden if re.search(r"\b(exp|log)", ast.unparse(n))]
        assert not hidden, f"a lambda is an algorithm too:\n{cell.source}"


@every(["index", *CHAPTERS, *SOLUTIONS, "book/glossary"])
def test_no_word_belittles_the_reader(page):
    text = re.sub(r"`[^`]*`", "", prose(page))
    found = re.search(BELITTLING, text, flags=re.I)
    assert not found, text[max(0, found.start() - 60) : found.end() + 30]


@every(PAGES)
def test_no_outputs_no_raw_html_and_portable_markup(page):
    text = read(page)
    assert "{tab-set-code}" not in text and "\\label{" not in text
    assert not re.search(r"^</?(div|span|img|p|br|table)\b", text, flags=re.M), "no raw HTML"


@every(PAGES)
def test_no_page_shows_the_progress_bar_of_a_run_that_is_over(page):
    for cell in cells(page):
        if re.search(r"\bshow_progress\b(?!,$)", cell.source, flags=re.M):
            shown = "import" in cell.source or "remove-output" in cell.metadata.get("tags", [])
            assert shown, f"tag it remove-output:\n{cell.source}"


@every(CHAPTERS)
def test_exercises_and_solutions_belong_together(page):
    exercises = labels(page, EXERCISE)
    solution = page.replace("book/", "book/solutions/")
    solved = labels(solution, r"^:::\{solution(?:-start)?\} (\S+)")
    assert 3 <= len(exercises) <= 5
    assert exercises == solved, "one solution for each exercise, in the same order"
    assert all(label.startswith("ex-") for label in exercises)


@every(CHAPTERS)
def test_a_programming_exercise_is_checked_and_starts_from_a_broken_program(page):
    starters = [c for c in cells(page) if is_exercise(c)]
    assert starters, "at least one exercise is checked by machine"
    for cell in starters:
        assert re.search(r"^check_\w+\(", cell.source, flags=re.M), cell.source
        assert "# change" in cell.source, "say which line to change"


@every(SOLUTIONS)
def test_every_checked_solution_ends_green(page):
    chapter = page.replace("solutions/", "")
    checks = {
        name
        for c in cells(chapter)
        if is_exercise(c)
        for name in re.findall(r"check_\w+", c.source)
    }
    source = "\n".join(c.source for c in cells(page))
    for name in checks:
        assert re.search(rf"assert {name}\(", source), f"the build must fail if {name} is not green"


@every([p for p in PAGES if p not in SOLUTIONS])
def test_no_page_but_the_solutions_links_to_a_solution(page):
    assert not re.search(r"solutions/|[`(#]sol-", read(page)), "an edition without them must build"


@every(CHAPTERS)
def test_every_statement_of_the_summary_is_asserted(page):
    items = re.split(r"^- ", section(page, "Summary"), flags=re.M)[1:]
    statements = [" ".join(item.split()) for item in items]
    tests = ROOT / "tests/chapters" / f"test_{page.removeprefix('book/')}.py"
    functions = [n for n in ast.parse(tests.read_text()).body if isinstance(n, ast.FunctionDef)]
    asserted = [
        " ".join(ast.get_docstring(f).split())
        for f in functions
        if f.name.startswith("test_") and ast.get_docstring(f)
    ]
    assert 3 <= len(statements) <= 7
    assert [s for s in statements if s not in asserted] == [], "no test has this as its docstring"
    assert [d for d in asserted if d not in statements] == [], "this test asserts no statement"


def glossary():
    return labels("book/glossary", r"^([^\s`#].*)\n  \S")


NOT_TEXT = [
    r"\A---\n.*?^---$",  # the header
    r"^```.*?^```$",  # code
    r"^:::\{admonition\} In this chapter$.*?^:::$",
    r"^:::\{explorable\}.*?^:::$",  # what stands in for it elsewhere
    r"^## Summary$.*?(?=^## )",  # tests have it word for word
    r"^[(#|:].*?$",  # labels, headings, tables, fences
    r"\$\$.*?\$\$",
    r"\$.*?\$",
    r"\{[\w:]+\}`.*?`",  # roles
    r"`.*?`",
    r"\]\(.*?\)",  # addresses
]


@every(CHAPTERS)
def test_a_term_of_the_glossary_is_linked_where_a_chapter_first_uses_it(page):
    link = r"\{term\}`(?:[^`<]*<(?P<target>[^`>]+)>|(?P<link>[^`]+))`"
    longest_first = "|".join(sorted(map(re.escape, glossary()), key=len, reverse=True))
    plain = rf"(?<![\w-])(?P<plain>{longest_first})(?:e?s)?(?![\w-])"
    seen, missing = set(), []
    for found in re.finditer("|".join([link, *NOT_TEXT, plain]), read(page), re.I | re.M | re.S):
        term = (found["target"] or found["link"] or found["plain"] or "").lower()
        if term not in seen and found["plain"]:
            missing.append(term)
        seen.add(term)
    assert not missing, "write {term}`word` or {term}`words <word>` where it first appears"


def test_the_index_is_worded_alike_and_leads_to_headings():
    terms = {term.lower(): term for term in glossary()}
    entries = []
    for page in PAGES:
        places = labels(page, INDEX)
        assert places == labels(page, rf"{INDEX}\n(?:\([\w-]+\)=\n)?#"), (
            f"{page}: index entries stand before a heading, so that their links show it"
        )
        for place in places:
            assert place.count(", ") <= 2, f"three entries for a section: {place}"
            entries += place.split(", ")
    assert len(entries) == len(set(entries)), "two sections have the same entry"
    heads = {entry.split("; ")[0] for entry in entries}
    for head in heads:
        assert head == terms.get(head.lower(), head), f"the glossary has {terms[head.lower()]}"
        assert head[0].islower() or head in NAMES | set(glossary()), f"lower case: {head}"
        assert f"{head}s" not in heads | set(glossary()), f"singular or plural: {head}"


def test_every_citation_has_an_entry_and_the_reverse():
    known = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text(), re.M))
    used = set()
    for page in PAGES:
        for keys in re.findall(r"\{cite(?::\w)?\}`([^`]+)`", read(page)):
            used |= set(re.split(r"[,\s]+", keys))
    assert used - known == set(), "add the entry to references.bib"
    assert known - used == set(), "delete the entries that no page cites"


@pytest.mark.parametrize("path", sorted(MODULES), ids=lambda p: p.stem)
def test_every_module_has_its_tests_and_every_public_function_its_docstring(path):
    place = path.relative_to(SOURCE)
    assert (ROOT / "tests" / place.with_name(f"test_{place.name}")).exists()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} needs a docstring"


SECTIONS = {"Parameters", "Returns", "Raises", "Notes", "References"}


def docstring_lines():
    """Every line of a docstring of the package that says something, in order."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                lines = map(str.strip, (ast.get_docstring(node) or "").splitlines())
                yield from (line for line in lines if line.strip("-") and line not in SECTIONS)


def test_a_docstring_is_said_once():
    counts = collections.Counter(docstring_lines())
    repeats = counts.total() - len(counts)
    most = [line for line, _ in counts.most_common(10)]
    assert repeats < 0.2 * counts.total(), f"write: Parameters and errors: see `name`, not {most}"


def test_who_is_sent_to_another_docstring_finds_it():
    docstrings = {}
    for path in sorted(MODULES):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                docstrings[node.name] = ast.get_docstring(node) or ""
    for name, text in docstrings.items():
        for subject, target in re.findall(
            r"(?:other )?(parameters|errors).*? see `(\w+)`", text, re.I
        ):
            assert target in docstrings, f"{name} sends its reader to {target}"
            if subject.lower() == "parameters":
                assert "Parameters\n---" in docstrings[target], f"{target}, for {name}"


def test_every_module_is_on_the_page_of_its_room():
    rooms = {page.removeprefix("book/api/") for page in PAGES if page.startswith("book/api/")}
    documented = {
        (room, module)
        for room in rooms
        for module in re.findall(
            r"^\.\. automodule:: stable_softmax\.([\w.]+)$", read(f"book/api/{room}"), re.M
        )
    }
    modules = {".".join(p.relative_to(SOURCE).with_suffix("").parts) for p in MODULES}
    modules.add("checks.report")
    assert {module for _, module in documented} == modules, "add the module to its room in book/api"
    for room, module in documented:
        at_the_top = room in {"formulas", "foundations"}
        assert module.rpartition(".")[0] == ("" if at_the_top else room), f"{module} is elsewhere"
    assert rooms == {name for name in re.findall(r"`api-(\w+)`", read("book/api"))}


ALGORITHMS = [
    *("softmax", "logsumexp", "log_softmax", "cross_entropy"),
    *("ladder/twosum", "ladder/wider", "ladder/double_double", "ladder/pair_arithmetic"),
    "scale/blocked",
]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_an_algorithm_is_shorter_than_15_lines(name):
    tree = ast.parse((ROOT / f"src/stable_softmax/{name}.py").read_text())
    for function in (n for n in tree.body if isinstance(n, ast.FunctionDef)):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        assert body[-1].end_lineno - body[0].lineno < 15, function.name
