"""The model assignments: their form, and what their own answers earn."""

import ast
import importlib
import pkgutil
import re

import pytest
import yaml

import stable_softmax
from tests.assignments.engine import (
    FOLDER,
    FUNCTIONS,
    NAMES,
    cell_of,
    cells,
    earned,
    grade_id,
    namespace_of,
    nbgrader,
    passes,
    run,
)
from tests.pages import BELITTLING, ROOT

QUESTIONS = [f"{name}-q{n}" for name in NAMES for n in (1, 2)]
POINTS = {"q1-visible": 1, "q1-hidden": 3, "q2-visible": 1, "q2-hidden": 2, "q3": 3}
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n.*?^ *### END SOLUTION", re.M | re.S)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n.*\n### END HIDDEN TESTS\Z", re.S)
BLANK = "    raise NotImplementedError()"


def prose(name):
    text = "\n".join(c.source for c in cells(name) if c.cell_type == "markdown")
    return re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", "", text, flags=re.S)


every_name = pytest.mark.parametrize("name", NAMES)
every_question = pytest.mark.parametrize("question", QUESTIONS)


# The form


def test_there_is_a_test_for_every_assignment():
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted(NAMES)
    for name in NAMES:
        assert (ROOT / f"tests/assignments/test_{name}.py").exists()


@every_name
def test_the_header_is_that_of_the_book(name):
    def header(path):
        return yaml.safe_load(re.match(r"---\n(.*?)^---\n", path.read_text(), re.S | re.M)[1])

    expected = {key: value for key, value in header(ROOT / "index.md").items() if key != "myst"}
    assert header(FOLDER / f"{name}.md") == expected


@every_name
def test_the_cells_come_in_the_order_of_the_contract(name):
    expected = ["markdown", "code"]
    for n in (1, 2):
        expected += ["markdown", f"{name}-q{n}", f"{name}-q{n}-visible", f"{name}-q{n}-hidden"]
    expected += ["markdown", f"{name}-q3"]
    assert [grade_id(c) or c.cell_type for c in cells(name)] == expected


@every_name
def test_seven_points_are_given_by_machine_and_three_by_hand(name):
    graded = {grade_id(c): nbgrader(c)["points"] for c in cells(name) if nbgrader(c).get("grade")}
    assert graded == {f"{name}-{part}": points for part, points in POINTS.items()}
    headings = re.findall(r"^## Question (\d): .+ \((\d) points\)$", prose(name), flags=re.M)
    assert headings == [("1", "4"), ("2", "3"), ("3", "3")]


@every_question
def test_an_answer_cell_defines_the_functions_and_hides_their_bodies(question):
    cell = cell_of(question)
    assert nbgrader(cell) == {
        **{"grade": False, "grade_id": question, "locked": False},
        **{"schema_version": 3, "solution": True, "task": False},
    }
    body = ast.parse(cell.source).body
    assert [getattr(node, "name", None) for node in body] == FUNCTIONS[question]
    blank = SOLUTION.sub(BLANK, cell.source)
    assert "SOLUTION" not in blank and blank.count(BLANK) == len(body)
    for function in ast.parse(blank).body:
        assert ast.get_docstring(function) and len(function.body) == 2


@every_question
@pytest.mark.parametrize("kind", ["visible", "hidden"])
def test_a_test_cell_is_locked_and_lets_the_others_run(question, kind):
    cell = cell_of(f"{question}-{kind}")
    assert nbgrader(cell) == {
        **{"grade": True, "grade_id": f"{question}-{kind}", "locked": True},
        **{"points": POINTS[f"{question[-2:]}-{kind}"], "schema_version": 3},
        **{"solution": False, "task": False},
    }
    assert cell.metadata["tags"] == ["raises-exception"]


@every_question
def test_all_of_a_hidden_test_but_its_first_line_is_hidden(question):
    source = cell_of(f"{question}-hidden").source
    rest = HIDDEN.sub("", source).strip()
    assert rest.startswith("# ") and "\n" not in rest
    assert 'rng = np.random.default_rng(globals().get("SEED"))\n' in source
    assert "assert not check_cases(" in source, "a wrong function must fail, or the test is none"
    assert "HIDDEN" not in cell_of(f"{question}-visible").source


@every_name
def test_the_question_marked_by_hand_has_a_model_answer_and_a_guide(name):
    cell = cell_of(f"{name}-q3")
    assert cell.cell_type == "markdown"
    assert nbgrader(cell) == {
        **{"grade": True, "grade_id": f"{name}-q3", "locked": False, "points": 3},
        **{"schema_version": 3, "solution": True, "task": False},
    }
    parts = re.findall(r"^\*\*\((\w)\)\*\*", cells(name)[-2].source, flags=re.M)
    answer, guide = cell.source.split("**Marks**")
    assert parts == re.findall(r"^\((\w)\) ", answer, flags=re.M) == ["a", "b", "c"]
    assert re.findall(r"^- \((\w)\) 1 point", guide, flags=re.M) == parts


@every_name
def test_no_cell_ends_with_a_value_and_lines_fit(name):
    for cell in cells(name):
        if cell.cell_type == "code":
            assert not isinstance(ast.parse(cell.source).body[-1], ast.Expr), cell.source
            assert max(map(len, cell.source.splitlines())) <= 100


@every_name
def test_the_text_is_plain_markdown_without_belittling_words(name):
    text = prose(name)
    assert not re.search(BELITTLING, text, flags=re.I)
    everything = "\n".join(c.source for c in cells(name) if c.cell_type == "markdown")
    assert not re.search(r"\{[\w:]+\}`|:::|```|\\lse|\\softmax|\\fl\b|\]\(", everything)
    assert everything.replace("$$", "").count("$") % 2 == 0


# The model answers


@every_name
@pytest.mark.parametrize("seed", [None, 0, 1, 2, 2**32 - 1])
def test_the_source_runs_from_top_to_bottom(name, seed, capsys):
    namespace = {} if seed is None else {"SEED": seed}
    for cell in cells(name):
        if cell.cell_type == "code":
            run(cell.source, namespace)
    assert "FAIL" not in capsys.readouterr().out


@every_question
def test_the_same_seed_tries_the_same_inputs(question):
    def inputs(seed):
        namespace = namespace_of(question.split("-")[0], seed)
        run(cell_of(question).source, namespace)
        assert passes(cell_of(f"{question}-hidden").source, namespace)
        return repr([case.arguments for case in namespace["cases"]])

    assert inputs(5) == inputs(5) != inputs(6)


@every_question
def test_blank_answers_earn_nothing(question):
    blank = SOLUTION.sub(BLANK, cell_of(question).source)
    assert earned(question, blank, seed=0) == [False, False]


@every_question
def test_the_package_has_no_such_function(question):
    modules = [stable_softmax]
    for module in pkgutil.walk_packages(stable_softmax.__path__, "stable_softmax."):
        modules.append(importlib.import_module(module.name))
    for function in FUNCTIONS[question]:
        assert [m.__name__ for m in modules if hasattr(m, function)] == []


@every_question
def test_a_right_result_in_a_shorter_format_than_was_asked_for_earns_nothing(question):
    [name] = FUNCTIONS[question]
    shorter = f"""
full = {name}

def {name}(*arguments):
    result = full(*arguments)
    if isinstance(result, tuple):
        return result[0], result[1].astype(np.float16)
    return result.astype(np.float16)
"""
    assert earned(question, cell_of(question).source + shorter, seed=0) == [False, False]
