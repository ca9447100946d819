"""The Python side of a page: what a cell puts out, and how its errors are told."""

import json
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest

from stable_softmax.notebook import figures
from tests.pages import ROOT

sys.path.append(str(ROOT / "book/run_in_page"))
import flags
import kernel


@pytest.fixture(autouse=True)
def fresh():
    """An empty namespace, and no figure of other tests."""
    kernel.namespace.clear()
    kernel.namespace["__name__"] = "__main__"
    plt.close("all")


def run(source):
    return json.loads(kernel.run(source, "cell 1"))


def texts(source):
    return [(output["kind"], output["text"]) for output in run(source)["outputs"]]


def test_what_is_printed_is_one_box_and_the_last_value_another():
    source = "import sys\nprint(1)\nprint('no', file=sys.stderr)\nprint(2)\n'ab' * 2"
    assert texts(source) == [("stdout", "1\n2\n"), ("stderr", "no\n"), ("result", "'abab'")]


@pytest.mark.parametrize(
    "source", ["1;", "1 ;  # not shown", "a = 1", "None", "", "# nothing", "1\na = 2"]
)
def test_a_value_is_shown_only_if_it_is_last_and_wanted(source):
    assert run(source) == {"error": None, "wants": None, "outputs": []}


def test_names_live_on_from_cell_to_cell():
    run("a = 20")
    assert texts("a + 1") == [("result", "21")]
    assert texts("_ + 1") == [("result", "22")]


def test_a_long_value_is_laid_out_as_in_a_notebook():
    ((kind, text),) = texts("import numpy as np\n[np.arange(12.0), np.arange(12.0)]")
    assert kind == "result" and text.startswith("[array([") and text.count("\n ") >= 1


@pytest.mark.parametrize(
    ("source", "line", "text"),
    [
        ("a = 1\nb = a / 0", 2, "ZeroDivisionError: division by zero"),
        ("a = 1\nb = (", 2, "SyntaxError: '(' was never closed"),
        ("def f():\n    return x\n\nf()", 2, "NameError: name 'x' is not defined"),
        ("import json\njson.loads('[')", 2, "JSONDecodeError: Expecting value: line 1 column 2"),
        ("raise SystemExit(3)", 1, "SystemExit: 3"),
        ("import no_such_thing", 1, "ModuleNotFoundError: no_such_thing is not at hand in a page"),
        ("raise ValueError('one\\ntwo')", 1, "ValueError: one\ntwo"),
    ],
)
def test_an_error_is_told_by_the_line_of_the_cell_and_the_last_line(source, line, text):
    error = run(source)["error"]
    assert error["line"] == line and text in error["text"]
    assert "Traceback" not in error["text"]


def test_an_error_that_cannot_be_shown_is_told_all_the_same():
    source = "class Odd(Exception):\n    def __str__(self):\n        1 / 0\nraise Odd"
    assert run(source)["error"]["line"] == 4
    source = "raise type('Odd', (Exception,), {})"  # made without a module
    kernel.namespace.clear()
    assert "Odd" in run(source)["error"]["text"]


def test_what_was_printed_before_an_error_is_kept():
    result = run("print('so far')\n1 / 0")
    assert result["outputs"] == [{"kind": "stdout", "text": "so far\n"}] and result["error"]


def test_an_output_without_end_is_cut():
    ((_, text),) = texts("for i in range(10**5): print('x' * 10)")
    assert len(text) == kernel.LONGEST and text.endswith("(the page shows no more)")


@pytest.mark.filterwarnings("default")
def test_each_cell_warns_anew_and_once_for_each_line(monkeypatch):
    def tell(warning):  # as Python does where no test catches it
        print(warning.message, file=sys.stderr)

    monkeypatch.setattr(warnings, "_showwarnmsg_impl", tell)
    source = "import warnings\nfor i in range(3): warnings.warn('look')"
    for _ in range(2):
        ((kind, text),) = texts(source)
        assert kind == "stderr" and text.count("look") == 1


def test_a_figure_is_drawn_once_the_cell_has_ended():
    result = run("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn');")
    kinds = [output["kind"] for output in result["outputs"]]
    assert kinds == ["stdout", "figure"]
    assert "<svg" in result["outputs"][1]["svg"] and "dc:date" not in result["outputs"][1]["svg"]
    assert plt.get_fignums() == []


def test_no_function_is_watched_while_a_figure_is_drawn(monkeypatch):
    watched, seen = flags.Watched(np.exp, "exp"), []
    monkeypatch.setattr(np, "exp", watched)
    monkeypatch.setattr(figures, "for_page", lambda *_: seen.append(np.exp) or "<svg>")
    run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
    assert seen == [watched.function] and np.exp is watched


def test_a_figure_that_cannot_be_drawn_is_an_error_not_the_end():
    result = run("import matplotlib.pyplot as plt\nplt.title('$\\\\no$');")
    assert "ParseException" in result["error"]["text"] or "ValueError" in result["error"]["text"]
    assert run("print('next')")["error"] is None


def test_markdown_becomes_the_html_of_the_page():
    html = kernel.as_html("| a | b |\n|:---|---:|\n| `x` & *y* | $p < 1$ |")
    assert '<div class="pst-scrollable-table-container"><table class="table">' in html
    assert '<th class="text-left">a</th>' in html and '<th class="text-right">b</th>' in html
    assert "<code>x</code> &amp; <em>y</em>" in html
    assert r'<span class="math notranslate nohighlight">\(p &lt; 1\)</span>' in html
    listing = kernel.as_html("```python\nif a < 1: pass\n```")
    assert '<pre data-language="python">if a &lt; 1: pass\n</pre>' in listing
    assert "<script>" not in kernel.as_html("<script>alert()</script>")


def test_matplotlib_is_asked_for_where_it_has_not_come_yet(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib")
    monkeypatch.setattr(sys, "meta_path", [kernel._NotYet])
    source = "try:\n    import matplotlib\nexcept ImportError:\n    pass"
    assert run(source) == {"error": None, "wants": "matplotlib", "outputs": []}
