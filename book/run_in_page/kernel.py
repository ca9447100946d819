"""The Python side of a page that runs its cells: it stands where IPython stands in a notebook.

The worker of a page asks `runnable.needed` which cells come before the one that a reader wants, and
calls `run` for each of them. There is no IPython in a page: the few names of it that the book uses
are made here, from IPython's own printer and from MyST's own Markdown parser, so that an output
looks as it does on the page.
"""

import ast
import contextlib
import importlib
import io
import json
import linecache
import sys
import traceback
import types
import warnings
from pathlib import Path

import flags
from IPython.lib.pretty import pretty
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

LONGEST = 100_000  # characters of an output: what a page can show
DIGITS = Path(__file__).with_name("digits.csv.gz")
namespace = {"__name__": "__main__"}
_outputs = []
_waiting = []


class NotLoaded(BaseException):
    """A package is asked for that can come, but has not been downloaded yet.

    No code of a cell or of a library catches it, as it would an ImportError.
    """


class _NotYet:
    """Find Matplotlib before it is there."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Raise for what can come; this finder is asked last."""
        if name == "matplotlib":
            raise NotLoaded(name)


class Markdown:
    """A result in Markdown, as ``IPython.display.Markdown``."""

    def __init__(self, data):
        self.data = data

    def _repr_markdown_(self):
        return self.data


def _digits(*, return_X_y):
    """Return the digits of scikit-learn from its own file, which is here without the library."""
    import numpy as np

    numbers = np.loadtxt(DIGITS, delimiter=",")
    return numbers[:, :-1], numbers[:, -1].astype(int)


def _make_modules():
    """Make the modules of which the book imports little: of IPython, and of scikit-learn."""
    shell = types.SimpleNamespace(user_ns=namespace)
    made = {
        "IPython": {"get_ipython": lambda: shell, "version_info": (9, 0)},
        "IPython.display": {"Markdown": Markdown, "display": _display},
        "sklearn": {},
        "sklearn.datasets": {"load_digits": _digits},
        "matplotlib_inline": {},
        "matplotlib_inline.backend_inline": {"set_matplotlib_formats": lambda *a, **k: None},
    }
    for name, content in made.items():
        sys.modules[name] = module = types.ModuleType(name)
        vars(module).update(content)
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, module)
            sys.modules[parent].__path__ = []


def start():
    """Prepare the modules that the cells import; called once."""
    import numpy as np

    if not flags.are_there():
        flags.install()
        namespace["__flags__"] = flags
    if np.__version__ >= "2":  # show numbers and mix formats as NumPy 1 does, with which the
        np.set_printoptions(legacy="1.25")  # pages are made
        np._set_promotion_state("legacy")
    sys.meta_path.append(_NotYet)
    _make_modules()
    warnings.formatwarning = lambda text, category, *_: f"{category.__name__}: {text}\n"
    display = importlib.import_module("stable_softmax.notebook.display")
    sys.modules["IPython"].get_ipython = lambda: None  # Matplotlib would ask the shell for more
    _waiting.append(display.use_book_style)
    display.use_book_style = lambda: None  # until there are figures


def matplotlib_is_loaded():
    """Give figures the style of the book, now that they can be drawn."""
    importlib.invalidate_caches()
    importlib.import_module("matplotlib").use("agg")
    _waiting.pop()()


class _Page(io.TextIOBase):
    """A stream whose text becomes an output of the cell."""

    def __init__(self, name):
        self.name = name

    def writable(self):
        return True

    def write(self, text):
        streams = [output for output in _outputs if output["kind"] == self.name]
        if not streams:
            _outputs.append({"kind": self.name, "text": ""})
        last = (streams or _outputs)[-1]  # one box for each stream, as on the page
        last["text"] = _short(last["text"] + text)
        return len(text)


def _short(text):
    end = "\n… (the page shows no more)"
    return text if len(text) <= LONGEST else text[: LONGEST - len(end)].removesuffix(end) + end


def _display(*values):
    for value in values:
        if hasattr(value, "_repr_markdown_"):
            _outputs.append({"kind": "html", "html": as_html(value._repr_markdown_())})
        elif _is_figure(value):
            figures = importlib.import_module("stable_softmax.notebook.figures")
            with flags.resting():
                svg = figures.for_page(value, "run")
            _outputs.append({"kind": "figure", "svg": svg})
        else:
            _outputs.append({"kind": "result", "text": _short(pretty(value))})


def _is_figure(value):
    figure = sys.modules.get("matplotlib.figure")
    return figure is not None and isinstance(value, figure.Figure)


def _show_figures():
    plt = sys.modules.get("matplotlib.pyplot")
    if plt is None:
        return
    try:
        for number in plt.get_fignums():
            _display(plt.figure(number))
    finally:
        plt.close("all")  # one that cannot be drawn would fail every cell after it


def _markdown():
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").use(dollarmath_plugin)
    renderer = parser.renderer
    math = '<span class="math notranslate nohighlight">\\({}\\)</span>'
    display = '<div class="math notranslate nohighlight">\\[{}\\]</div>'

    def cell(renderer, tokens, index, options, env):
        token = tokens[index]
        side = str(token.attrs.pop("style", "text-align:left")).removeprefix("text-align:")
        token.attrSet("class", f"text-{side}")
        return renderer.renderToken(tokens, index, options, env)

    def escaped(form):
        return lambda tokens, i, *_: form.format(
            tokens[i].content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        )

    box = '<div class="pst-scrollable-table-container"><table class="table">'
    renderer.rules |= {
        "table_open": lambda *_: box,
        "table_close": lambda *_: "</table></div>",
        "th_open": cell.__get__(renderer),
        "td_open": cell.__get__(renderer),
        "math_inline": escaped(math),
        "math_inline_double": escaped(display),
        "math_block": escaped(display),
        "fence": escaped('<div class="highlight"><pre data-language="python">{}</pre></div>'),
    }
    return parser


_parser = None


def as_html(markdown):
    """Return Markdown as the HTML that the page has for it: tables, formulas, listings."""
    global _parser
    _parser = _parser or _markdown()
    return _parser.render(markdown)


def run(source, name):
    """Run a cell.

    Parameters
    ----------
    source : str
    name : str
        What the cell is called in tracebacks: ``"cell 3"``.

    Returns
    -------
    str
        JSON: "outputs", a list; "error", None or {"line", "text"}; "wants", None or the package
        that has to be loaded before the cell is run again.
    """
    _outputs.clear()
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    result = {"error": None, "wants": None}
    with contextlib.redirect_stdout(_Page("stdout")), contextlib.redirect_stderr(_Page("stderr")):
        try:
            _execute(source, name)
        except NotLoaded as error:
            result["wants"] = str(error)
        except BaseException as error:  # the cell may raise anything, SystemExit too
            result["error"] = _told(error, name)
        if not result["wants"]:
            try:
                _show_figures()
            except Exception as error:
                result["error"] = result["error"] or _told(error, name)
    return json.dumps(result | {"outputs": _outputs})


def _execute(source, name):
    tree = ast.parse(source, name)
    if "__flags__" in namespace:
        tree = flags.watched(tree)
    last = tree.body[-1] if tree.body else None
    shown = isinstance(last, ast.Expr) and not _ends_in_semicolon(source, last)
    value = tree.body.pop().value if shown else None
    with warnings.catch_warnings():  # each cell warns anew
        exec(compile(tree, name, "exec"), namespace)
        if shown:
            result = eval(compile(ast.Expression(value), name, "eval"), namespace)
            if result is not None:
                namespace["_"] = result
                _display(result)


def _ends_in_semicolon(source, last):
    lines = source.splitlines()[last.end_lineno - 1 :]
    lines[0] = lines[0].encode()[last.end_col_offset :].decode()
    return "\n".join(lines).lstrip().startswith(";")


def _told(error, name):
    """Return the line of the cell and the last line of the traceback."""
    try:
        text = "".join(traceback.format_exception_only(error)).strip()
    except Exception:  # its class may be anything
        text = f"an error of {type(error).__qualname__} that cannot be shown"
    if isinstance(error, ModuleNotFoundError):
        text = f"{type(error).__name__}: {error.name} is not at hand in a page"
    if isinstance(error, SyntaxError) and error.filename == name:
        return {"line": error.lineno, "text": f"{type(error).__name__}: {error.msg}"}
    frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
    return {"line": frames[-1] if frames else None, "text": _short(text)}
