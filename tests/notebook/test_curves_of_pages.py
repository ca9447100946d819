"""Every curve of every page has the look of its form, library or format, and no other.

What a label names is checked when the curve is drawn (`role_of`). What a cell says by hand is read
here, in its code: no cell is run.
"""

import ast
from itertools import repeat

import jupytext
import pytest

from stable_softmax.notebook.display import ROLE, role_of
from tests.pages import PAGES, ROOT

#: How the name of a function ends: the role of its curve.
FORMS = {
    "_naive": "naive",
    "_shifted": "shifted",
    "_log1p": "log1p",
    "_epsilon": "epsilon",
    "_clamped": "clamped",
    "_two_step": "log(softmax)",
    "_wider": "wider",
    "_in_blocks": "in blocks",
    "_blocked": "in blocks",
}
OURS = {"plot_error", "plot_values"}
THEIRS = {"plot", "step", "scatter", "bar", "errorbar", "loglog", "semilogx", "semilogy", "stem"}
EVERYWHERE = {"exact", "roundoff"}  # of references and bounds


def rows(node, known):
    """What a loop goes through, as far as the cell says it in letters: one node for each turn."""
    match node:
        case ast.Name(id) if id in known:
            return rows(known[id], known)
        case ast.List() | ast.Tuple():
            return node.elts
        case ast.Dict():
            return [ast.Tuple([*pair]) for pair in zip(node.keys, node.values, strict=True)]
        case ast.Call(ast.Attribute(value, "items")):
            return rows(value, known)
        case ast.Call(ast.Name("zip"), args):
            parts = [rows(arg, known) or repeat(None, 9) for arg in args]
            return [ast.Tuple([*row]) for row in zip(*parts, strict=False)]
    return []


def bound(target, value):
    """The names that a loop binds in one turn."""
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        return {name: node for pair in pairs for name, node in bound(*pair).items()}
    return {}


def unwrapped(body):
    """The statements of a block and of the blocks in it that are no loops, in order."""
    for statement in body:
        if isinstance(statement, ast.With | ast.If):
            yield from unwrapped(statement.body)
        else:
            yield statement


def assigned(statement):
    """The list, tuple or dictionary to which a statement gives a name."""
    match statement:
        case ast.Assign([ast.Name(id)], ast.List() | ast.Tuple() | ast.Dict() as value):
            return {id: value}
    return {}


def curves(body, known):
    """Yield each call that draws a curve, with what the names in it are bound to."""
    for statement in unwrapped(body):
        known = known | assigned(statement)
        if isinstance(statement, ast.For):
            for row in rows(statement.iter, known) or [None]:
                yield from curves(statement.body, known | bound(statement.target, row))
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                if name in OURS | THEIRS:
                    yield name, node, known


def text(node, known):
    """The text that an expression is, or None."""
    if isinstance(node, ast.Name) and node.id in known:
        return text(known[node.id], {k: v for k, v in known.items() if k != node.id})
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def functions(call, known):
    """The names in the arguments of a call, and in what the loops around it have bound."""
    bound = [v for v in known.values() if v and not isinstance(v, ast.List | ast.Tuple | ast.Dict)]
    label = [word.value for word in call.keywords if word.arg == "label"]
    walked = (part for node in [*call.args, *label, *bound] for part in ast.walk(node))
    return {part.id for part in walked if isinstance(part, ast.Name)}


def faults(source, known=None):
    """Say what is wrong with the looks of the curves that a cell draws."""
    for name, call, names in curves(ast.parse(source).body, known or {}):
        given = {word.arg: word.value for word in call.keywords}
        if name in THEIRS:
            if None not in given:  # **ROLE[...]
                yield f"draw this by plot_values: {ast.unparse(call)}"
            continue
        label, role = (text(given.get(word), names) for word in ("label", "role"))
        derived = isinstance(given.get("role"), ast.Call)  # role_of(name), str(fmt)
        if "role" in given and not derived and role is None:
            yield f"say in letters which role this is: {ast.unparse(call)}"
        try:
            role = role if label is None or derived else role_of(label.strip("_") or role, role)
        except ValueError as error:
            yield str(error)
            continue
        used = functions(call, names)
        forms = {form for f in used for end, form in FORMS.items() if f.endswith(end)}
        if role and forms and role not in forms | EVERYWHERE:
            yield f"a curve of {sorted(used)} has the role {role!r}"
        says_so = "naive" in (label or "").strip("_").split(", ")
        if role == "naive" and not (says_so or forms == {"naive"}):
            yield f"this is not naive, or does not say so: {ast.unparse(call)}"


def all_faults(page):
    """What is wrong with the curves of a page, whose cells know what those before them have set."""
    known = {}
    for cell in jupytext.read(ROOT / f"{page}.md").cells:
        if cell.cell_type == "code":
            yield from faults(cell.source, known)
            for statement in unwrapped(ast.parse(cell.source).body):
                known |= assigned(statement)


@pytest.mark.parametrize("page", PAGES)
def test_every_curve_of_a_page_has_the_look_of_its_form(page):
    assert not list(all_faults(page))


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ('plot_error(x, y, label="log1p", role="naive")', "names the role 'log1p', not 'naive'"),
        ('plot_values(x, y, label="fp32", role="shifted", ax=ax)', "names the role 'fp32'"),
        ('plot_error(x, y, label="two halves")', "there is no role 'two halves'"),
        ('plot_error(x, y, label="ours", role="best")', "there is no role 'best'"),
        ('plot_error(x, y, label="h", role=roles[0])', "say in letters"),
        ('plot_error(x, f_log1p(x), label="ours", role="shifted")', "a curve of"),
        ('y = f_log1p(x)\nplot_error(x, y, label="ours", role="naive")', "not naive"),
        ('plot_error(x, y, label="wrong order", role="naive")', "not naive"),
        ("ax.plot(x, y)", "draw this by plot_values"),
        (
            'for name, role in [("shifted", "shifted"), ("log1p", "first")]:\n'
            "    plot_error(x, y[name], label=name, role=role)",
            "names the role 'log1p'",
        ),
        (
            'roles = {"MXNet": "SciPy"}\nfor name, role in roles.items():\n'
            "    with errstate():\n        plot_error(x, y, label=name, role=role)",
            "names the role 'MXNet'",
        ),
        (
            'for (f, name), role in zip([(loss_clamped, "a")], ["epsilon"]):\n'
            "    plot_error(x, f(x), label=name, role=role)",
            "a curve of",
        ),
    ],
)
def test_a_wrong_look_is_found(cell, fault):
    assert any(fault in found for found in faults(cell))


@pytest.mark.parametrize(
    "cell",
    [
        'plot_error(x, y, label="bound, shifted", role="roundoff")',
        'plot_error(x, f_two_step(x), label="log(softmax)")',
        'plot_error(x, g_naive(x), label="softmax, then log", role="naive")',
        'ax.plot(x, y, **ROLE["naive"] | cross)',
        'for f, role in [(f_naive, "naive"), (f_shifted, "shifted")]:\n'
        "    plot_error(x, f(x), label=f.__name__, role=role)",
    ],
)
def test_a_right_look_is_not_blamed(cell):
    assert not list(faults(cell))


def test_every_role_is_drawn_somewhere_or_completes_the_ramp():
    text = "".join((ROOT / f"{page}.md").read_text("utf-8") for page in PAGES)
    for role in ROLE.keys() - {"tf32", "e4m3", "e5m2"}:
        assert f'"{role}"' in text, f"no page draws {role}"
