"""The model assignments: their form, their own answers, and what wrong answers earn.

The sources are run here without nbgrader and without a sandbox, in a namespace of their own.
"""

import ast
import contextlib
import functools
import importlib
import io
import pkgutil
import re

import jupytext
import pytest
import yaml

import stable_softmax
from tests.pages import BELITTLING, ROOT

FOLDER = ROOT / "book/assignments"
NAMES = ["temperature", "smoothing", "streaming"]
QUESTIONS = [f"{name}-q{n}" for name in NAMES for n in (1, 2)]
POINTS = {"q1-visible": 1, "q1-hidden": 3, "q2-visible": 1, "q2-hidden": 2, "q3": 3}
FUNCTIONS = {
    "temperature-q1": ["softmax_at"],
    "temperature-q2": ["masked_softmax_at"],
    "smoothing-q1": ["smoothed_loss"],
    "smoothing-q2": ["smoothed_gradient"],
    "streaming-q1": ["focal_loss"],
    "streaming-q2": ["lse_update", "lse_result"],
}
SOLUTION = re.compile(r"^ *### BEGIN SOLUTION\n.*?^ *### END SOLUTION", re.M | re.S)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n.*\n### END HIDDEN TESTS\Z", re.S)
BLANK = "    # YOUR CODE HERE\n    raise NotImplementedError()"  # as nbgrader writes it
NOTHING, VISIBLE_ONLY = "nothing", "the visible test only"


@functools.cache
def cells(name):
    return jupytext.read(FOLDER / f"{name}.md").cells


def nbgrader(cell):
    return cell.metadata.get("nbgrader", {})


def grade_id(cell):
    return nbgrader(cell).get("grade_id", "")


def cell_of(full_id):
    [cell] = [c for c in cells(full_id.split("-")[0]) if grade_id(c) == full_id]
    return cell


def prose(name):
    text = "\n".join(c.source for c in cells(name) if c.cell_type == "markdown")
    return re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`", "", text, flags=re.S)


def run(source, namespace):
    exec(compile(source, "<cell>", "exec"), namespace)


def passes(source, namespace):
    """Run a test cell quietly: True if it passes, False if it fails as a test does."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            run(source, namespace)
        except AssertionError:
            return False
    return True


def namespace_of(name, seed):
    namespace = {} if seed is None else {"SEED": seed}
    for cell in cells(name):
        if cell.cell_type == "code" and not nbgrader(cell):
            run(cell.source, namespace)
    return namespace


def earned(question, answer, seed):
    """Which of the two test cells of a question an answer passes."""
    namespace = namespace_of(question.split("-")[0], seed)
    run(answer, namespace)
    tests = [cell_of(f"{question}-{kind}").source for kind in ("visible", "hidden")]
    return [passes(test, namespace) for test in tests]


every_name = pytest.mark.parametrize("name", NAMES)
every_question = pytest.mark.parametrize("question", QUESTIONS)


# The form


def test_there_is_a_test_for_every_assignment():
    assert sorted(path.stem for path in FOLDER.glob("*.md")) == sorted(NAMES)


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


# Other answers


RIGHT = {
    "temperature-q1": {
        "log-softmax first": """
def softmax_at(x, T):
    T = np.expand_dims(np.asarray(T, dtype=x.dtype), -1)
    z = (x - x.max(axis=-1, keepdims=True)) / T
    return np.exp(z - np.log(np.exp(z).sum(axis=-1, keepdims=True)))
""",
        "in float64 inside": """
def softmax_at(x, T):
    z = x.astype(float)
    z = (z - z.max(axis=-1, keepdims=True)) / np.asarray(T, dtype=float)[..., None]
    return (np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)).astype(x.dtype)
""",
    },
    "temperature-q2": {
        "row by row": """
def masked_softmax_at(x, mask, T):
    p = np.zeros_like(x)
    for i in np.ndindex(x.shape[:-1]):
        z = x[i][mask[i]]
        if z.size:
            e = np.exp((z - z.max()) / T)
            p[i][mask[i]] = e / e.sum()
    return p
""",
        "maximum with where": """
def masked_softmax_at(x, mask, T):
    m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    z = np.where(mask, x, m) - np.where(mask, m, 0)
    e = np.where(mask, np.exp(np.where(mask, z, 0) / T), 0)
    s = e.sum(axis=-1, keepdims=True)
    return np.divide(e, s, out=np.zeros_like(x), where=s > 0)
""",
    },
    "smoothing-q1": {
        "weights": """
def smoothed_loss(x, labels, alpha):
    n, labeled = x.shape[1], labels[:, None] >= 0
    t = np.where(np.arange(n) == labels[:, None], 1 - alpha + alpha / n, alpha / n)
    t = np.where(labeled, t, 0).astype(x.dtype)
    return -np.sum(t * log_softmax_log1p(np.where(labeled, x, 0)), axis=1)
""",
        "log1p written out": """
def smoothed_loss(x, labels, alpha):
    loss = np.zeros(len(x), dtype=x.dtype)
    for i in np.flatnonzero(labels >= 0):
        z = x[i] - x[i].max()
        rest = np.sum(np.exp(np.delete(z, z.argmax())))
        loss[i] = np.log1p(rest) - (1 - alpha) * z[labels[i]] - alpha * z.mean()
    return loss
""",
    },
    "smoothing-q2": {
        "only the samples with a label": """
def smoothed_gradient(x, labels, alpha):
    from stable_softmax import cross_entropy_gradient_complement
    g, rows = np.zeros_like(x), np.flatnonzero(labels >= 0)
    if rows.size:
        g[rows] = cross_entropy_gradient_complement(x[rows], labels[rows]) - alpha / x.shape[1]
        g[rows, labels[rows]] += alpha
    return g
""",
    },
    "streaming-q1": {
        "logaddexp": """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    return np.exp(-gamma * np.logaddexp(0, -s)) * np.logaddexp(0, s)
""",
        "expm1": """
def focal_loss(x, y, gamma):
    s = x * (1 - 2 * y).astype(x.dtype)
    loss = np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))
    return (-np.expm1(-loss)) ** gamma * loss
""",
    },
    "streaming-q2": {
        "one number after the other": """
def lse_update(state, chunk):
    m, r = state
    for v in chunk[chunk > -np.inf].tolist():
        m, r = (v, (1 + r) * np.exp(m - v)) if v > m else (m, r + np.exp(v - m))
    return m, r

def lse_result(state):
    return state[0] + np.log1p(state[1])
""",
        "a state of arrays without axes": """
def lse_update(state, chunk):
    m, r = state
    for v in chunk[chunk > -np.inf]:
        higher = v > m
        with np.errstate(invalid="ignore", over="ignore"):
            r = np.where(higher, (1 + r) * np.exp(m - v), r + np.exp(v - m))
        m = np.where(higher, v, m)
    return m, r

def lse_result(state):
    return state[0] + np.log1p(state[1])
""",
    },
}

MAXIMUM_AND_SUM = """
def lse_update(state, chunk):
    m = np.max(chunk, initial=state[0])
    if m == -np.inf:
        return state
    return m, state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk - m))
"""  # what many call the online softmax
WRONG = {
    "temperature-q1": {
        "naive": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp(x / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "divided before the shift, by a function of the package": (
            VISIBLE_ONLY,
            """
def softmax_at(x, T):
    from stable_softmax import softmax_shifted
    return softmax_shifted(x / np.asarray(T, dtype=x.dtype)[..., None])
""",
        ),
        "one maximum for the batch": (
            VISIBLE_ONLY,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max()) / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "one T for each sample of two axes only": (
            VISIBLE_ONLY,
            """
def softmax_at(x, T):
    T = T[:, None] if np.ndim(T) else T
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "T along the classes": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "the first axis": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max(axis=0)) / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=0)
""",
        ),
        "float64 for all": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / np.asarray(T, dtype=float)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def softmax_at(x, T):
    x -= x.max(axis=-1, keepdims=True)
    e = np.exp(x / np.asarray(T, dtype=x.dtype)[..., None])
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "clipped": (
            NOTHING,
            """
def softmax_at(x, T):
    e = np.exp(np.clip(x / np.asarray(T, dtype=x.dtype)[..., None], -80, 80))
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
    },
    "temperature-q2": {
        "naive": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    e = np.exp(x / T) * mask
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "-1e9": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -1e9)
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "-1e9, and zeros afterwards": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -1e9)
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True) * mask
""",
        ),
        "-inf without care for a row without classes": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    x = np.where(mask, x, -np.inf)
    e = np.exp((x - x.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)
""",
        ),
        "the maximum of all classes": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    m = np.nanmax(x, axis=-1, keepdims=True)
    e = np.where(mask, np.exp((x - m) / T), 0)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "one maximum for the batch": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    m = np.max(x, where=mask, initial=-1e300)
    e = np.exp((np.where(mask, x, -np.inf) - m) / T)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "nan times zero": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-1e300)
    e = np.exp(np.minimum((x - m) / T, 0)) * mask
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "masked after the exponential": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    m = np.max(x, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    e = np.where(mask, np.exp((x - m) / T), 0)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
        "divided before the shift, by a function of the package": (
            VISIBLE_ONLY,
            """
def masked_softmax_at(x, mask, T):
    from stable_softmax.special_values import softmax_masked
    return softmax_masked(x / T, mask)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def masked_softmax_at(x, mask, T):
    x[~mask] = -np.inf
    m = np.max(x, axis=-1, keepdims=True)
    e = np.exp((x - np.where(m == -np.inf, 0, m)) / T)
    s = e.sum(axis=-1, keepdims=True)
    return e / np.where(s == 0, 1, s)
""",
        ),
    },
    "smoothing-q1": {
        "naive": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    e = np.exp(x)
    log_p = np.log(e / e.sum(axis=1, keepdims=True))
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "epsilon": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = np.log(softmax_shifted(np.where(labels[:, None] < 0, 0, x)) + 1e-7)
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "clipped": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = np.log(np.clip(softmax_shifted(np.where(labels[:, None] < 0, 0, x)), 1e-12, 1))
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "shifted, without log1p": (
            VISIBLE_ONLY,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
        "the maximum added back too early": (
            VISIBLE_ONLY,
            """
def smoothed_loss(x, labels, alpha):
    from stable_softmax import logsumexp_log1p
    x = np.where(labels[:, None] < 0, 0, x)
    at_label = x[np.arange(len(x)), labels]
    loss = logsumexp_log1p(x) - (1 - alpha) * at_label - alpha * x.mean(axis=1)
    return np.where(labels < 0, 0, loss)
""",
        ),
        "zero times nan": (
            VISIBLE_ONLY,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(x)
    at_label = log_p[np.arange(len(x)), labels]
    return (-(1 - alpha) * at_label - alpha * log_p.mean(axis=1)) * (labels >= 0)
""",
        ),
        "-1 is the last class": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(x)
    at_label = log_p[np.arange(len(x)), labels]
    return -(1 - alpha) * at_label - alpha * log_p.mean(axis=1)
""",
        ),
        "alpha shared by the other classes only": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(np.where(labels[:, None] < 0, 0, x))
    at_label, n = log_p[np.arange(len(x)), labels], x.shape[1]
    others = (log_p.sum(axis=1) - at_label) / (n - 1)
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * others)
""",
        ),
        "the mean of the batch": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    log_p = log_softmax_log1p(np.where(labels[:, None] < 0, 0, x))
    at_label = log_p[np.arange(len(x)), labels]
    loss = -(1 - alpha) * at_label - alpha * log_p.mean(axis=1)
    return np.mean(loss[labels >= 0])
""",
        ),
        "float64 for all, by a function of the package": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    from stable_softmax.special_values import cross_entropy_soft
    n, labeled = x.shape[1], labels[:, None] >= 0
    t = ((1 - alpha) * np.eye(n)[labels] + alpha / n) * labeled
    return cross_entropy_soft(x.astype(float), t)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def smoothed_loss(x, labels, alpha):
    x[labels < 0] = 0
    log_p = log_softmax_log1p(x)
    at_label = log_p[np.arange(len(x)), labels]
    return np.where(labels < 0, 0, -(1 - alpha) * at_label - alpha * log_p.mean(axis=1))
""",
        ),
    },
    "smoothing-q2": {
        "naive": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    e = np.exp(x)
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    g = e / e.sum(axis=1, keepdims=True) - (1 - alpha) * y - alpha / x.shape[1]
    return np.where(labels[:, None] < 0, 0, g)
""",
        ),
        "p - y at the label": (
            VISIBLE_ONLY,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    return np.where(labels[:, None] < 0, 0, p - (1 - alpha) * y - alpha / x.shape[1])
""",
        ),
        "zero times nan": (
            VISIBLE_ONLY,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(x)
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    others = p * (1 - y)
    g = others - y * others.sum(axis=1, keepdims=True) + alpha * (y - 1 / x.shape[1])
    return g * (labels[:, None] >= 0)
""",
        ),
        "without the smoothing": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    return np.where(labels[:, None] < 0, 0, p - y)
""",
        ),
        "the weight of the label forgets its part of alpha": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    n = x.shape[1]
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(n) == labels[:, None]).astype(x.dtype)
    return np.where(labels[:, None] < 0, 0, p - (1 - alpha) * y - alpha / n * (1 - y))
""",
        ),
        "divided by the number of samples": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    y = (np.arange(x.shape[1]) == labels[:, None]).astype(x.dtype)
    others = p * (1 - y)
    g = others - y * others.sum(axis=1, keepdims=True) + alpha * (y - 1 / x.shape[1])
    return np.where(labels[:, None] < 0, 0, g / len(x))
""",
        ),
        "-1 is the last class": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    g = softmax_shifted(x) - alpha / x.shape[1]
    g[np.arange(len(x)), labels] -= 1 - alpha
    return g
""",
        ),
        "float64 for all": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    y = np.eye(x.shape[1])[labels]
    p = softmax_shifted(np.where(labels[:, None] < 0, 0, x))
    others = p * (1 - y)
    g = others - y * others.sum(axis=1, keepdims=True) + alpha * (y - 1 / x.shape[1])
    return np.where(labels[:, None] < 0, 0, g)
""",
        ),
        "finite differences": (
            NOTHING,
            """
def smoothed_gradient(x, labels, alpha):
    g, h = np.zeros_like(x), 1e-5
    def loss(z, label):
        log_p = log_softmax_log1p(z)
        return -(1 - alpha) * log_p[label] - alpha * log_p.mean()
    for i in np.flatnonzero(labels >= 0):
        for j in range(x.shape[1]):
            e = h * (np.arange(x.shape[1]) == j)
            g[i, j] = (loss(x[i] + e, labels[i]) - loss(x[i] - e, labels[i])) / (2 * h)
    return g
""",
        ),
    },
    "streaming-q1": {
        "naive": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    p = 1 / (1 + np.exp(-x))
    p = np.where(y == 1, p, 1 - p)
    return (1 - p) ** gamma * -np.log(p)
""",
        ),
        "epsilon": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    e = np.exp(-np.abs(x))
    p = np.where(x >= 0, 1, e) / (1 + e)
    p = np.where(y == 1, p, 1 - p)
    return (1 - p) ** gamma * -np.log(p + 1e-12)
""",
        ),
        "clipped": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.clip(np.where(y == 1, -x, x), -80, 80)
    return (1 / (1 + np.exp(-s))) ** gamma * np.log1p(np.exp(s))
""",
        ),
        "log(1 + e) instead of log1p": (
            VISIBLE_ONLY,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    e = np.exp(-np.abs(s))
    return (np.where(s >= 0, 1, e) / (1 + e)) ** gamma * (np.maximum(s, 0) + np.log(1 + e))
""",
        ),
        "the factor as a difference": (
            VISIBLE_ONLY,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    loss = np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))
    return (1 - np.exp(-loss)) ** gamma * loss
""",
        ),
        "the loss of the other label subtracted": (
            VISIBLE_ONLY,
            """
def focal_loss(x, y, gamma):
    e = np.exp(-np.abs(x))
    loss = np.maximum(x, 0) + np.log1p(e) - x * y.astype(x.dtype)
    s = np.where(y == 1, -x, x)
    loss = np.where(x < 0, np.maximum(-x, 0) + np.log1p(e) + x * (1 - y).astype(x.dtype), loss)
    return np.exp(gamma * (s - loss)) * loss
""",
        ),
        "both branches of where": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    loss = np.where(s > 0, s + np.log1p(np.exp(-s)), np.log1p(np.exp(s)))
    wrong = np.where(s > 0, 1 / (1 + np.exp(-s)), np.exp(s) / (1 + np.exp(s)))
    return wrong**gamma * loss
""",
        ),
        "without the factor": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    return np.maximum(s, 0) + np.log1p(np.exp(-np.abs(s)))
""",
        ),
        "the factor of the other class": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x)
    return np.exp(-gamma * np.logaddexp(0, s)) * np.logaddexp(0, s)
""",
        ),
        "float64 for all": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    s = np.where(y == 1, -x, x).astype(float)
    return np.exp(-gamma * np.logaddexp(0, -s)) * np.logaddexp(0, s)
""",
        ),
        "the argument overwritten": (
            NOTHING,
            """
def focal_loss(x, y, gamma):
    x[y == 1] *= -1
    return np.exp(-gamma * np.logaddexp(0, -x)) * np.logaddexp(0, x)
""",
        ),
    },
    "streaming-q2": {
        "naive": (
            NOTHING,
            """
def lse_update(state, chunk):
    return state[0], state[1] + np.sum(np.exp(chunk))

def lse_result(state):
    return np.log(state[1])
""",
        ),
        "maximum and sum": (
            VISIBLE_ONLY,
            MAXIMUM_AND_SUM
            + """
def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
        "maximum and sum, with log1p of the sum minus 1": (
            VISIBLE_ONLY,
            MAXIMUM_AND_SUM
            + """
def lse_result(state):
    return state[0] + np.log1p(state[1] - 1) if state[1] else -np.inf
""",
        ),
        "the result so far as the state": (
            VISIBLE_ONLY,
            """
def lse_update(state, chunk):
    return np.logaddexp(state[0], np.logaddexp.reduce(chunk, initial=-np.inf)), 0.0

def lse_result(state):
    return state[0]
""",
        ),
        "the first maximum for ever": (
            VISIBLE_ONLY,
            """
def lse_update(state, chunk):
    m = state[0] if state[0] > -np.inf else np.max(chunk, initial=-np.inf)
    if m == -np.inf:
        return state
    return m, state[1] + np.sum(np.exp(chunk - m))

def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
        "the old sum not rescaled": (
            NOTHING,
            """
def lse_update(state, chunk):
    m = np.max(chunk, initial=state[0])
    return (m, state[1] + np.sum(np.exp(chunk - m))) if m > -np.inf else state

def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
        "no empty chunks": (
            NOTHING,
            """
def lse_update(state, chunk):
    m = max(state[0], chunk.max())
    return m, state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk - m))

def lse_result(state):
    return state[0] + np.log(state[1])
""",
        ),
        "all the numbers as the state": (
            NOTHING,
            """
def lse_update(state, chunk):
    return (*state[:-1], *chunk, 0.0)

def lse_result(state):
    from stable_softmax import logsumexp_log1p
    return logsumexp_log1p(np.array(state[:-1]))
""",
        ),
        "all the numbers in an array of the state": (
            NOTHING,
            """
def lse_update(state, chunk):
    return np.append(state[0], chunk), 0.0

def lse_result(state):
    from stable_softmax import logsumexp_log1p
    return logsumexp_log1p(np.atleast_1d(state[0]))
""",
        ),
        "a memory outside of the state": (
            VISIBLE_ONLY,
            """
def lse_update(state, chunk):
    global seen
    seen = np.append([] if state == (-np.inf, 0.0) else seen, chunk)
    return float(len(seen)), 1.0

def lse_result(state):
    from stable_softmax import logsumexp_log1p
    return logsumexp_log1p(np.append(seen, -np.inf))
""",
        ),
        "the chunk overwritten": (
            NOTHING,
            """
def lse_update(state, chunk):
    m = np.max(chunk, initial=state[0])
    if m == -np.inf:
        return state
    chunk -= m
    return m, state[1] * np.exp(state[0] - m) + np.sum(np.exp(chunk))

def lse_result(state):
    return state[0] + np.log(state[1]) if state[1] else -np.inf
""",
        ),
    },
}


def table(answers):
    rows = [(q, name, answer) for q, named in answers.items() for name, answer in named.items()]
    return pytest.mark.parametrize(
        ("question", "answer"),
        [(q, answer) for q, _, answer in rows],
        ids=[f"{q}: {name}" for q, name, _ in rows],
    )


@table(RIGHT)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_another_right_answer_earns_everything(question, answer, seed):
    assert earned(question, answer, seed) == [True, True]


@table(WRONG)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_wrong_answer_earns_what_it_deserves(question, answer, seed):
    expected, code = answer
    assert earned(question, code, seed) == [expected == VISIBLE_ONLY, False]


@every_question
def test_every_question_is_tried_with_naive_and_with_half_right_answers(question):
    earns = [expected for expected, _ in WRONG[question].values()]
    assert len(earns) >= 5 and VISIBLE_ONLY in earns
    assert WRONG[question]["naive"][0] == NOTHING
