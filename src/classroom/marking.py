"""What nbgrader lacks for untrusted notebooks: run the answers apart from the tests.

nbgrader releases, stores marks and writes feedback. Its own way to execute a submission runs the
tests inside of the student's Python, where they can be read and patched, and where one crash or
endless loop ends them all. `Judge` takes its place: the answers run in a kernel of their own, in a
sandbox; setup and tests run here, and call the answers there.
"""

import ast
import builtins
import contextlib
import hashlib
import html
import io
import json
import linecache
import traceback
import warnings
from xml.etree import ElementTree

import nbformat
import numpy as np
from jinja2 import pass_context
from latex2mathml.converter import convert_to_element as mathml
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import v4
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets import Bool, Float, Integer, Unicode

from .kernel import Kernel, Stopped
from .sandbox import Limits

FORMULA_ATTRIBUTES = {
    *("accent", "columnalign", "columnlines", "columnspacing", "depth", "display", "displaystyle"),
    *("fence", "form", "height", "linethickness", "lspace", "mathvariant", "maxsize", "minsize"),
    *("movablelimits", "notation", "rowlines", "rowspacing", "rspace", "scriptlevel", "separator"),
    *("stretchy", "symmetric", "voffset", "width", "xmlns"),
}


class Judge(NbGraderPreprocessor):
    """Run a submission: answers in the student's kernel, tests here."""

    source = Unicode(help="The notebook with model answers and hidden tests.").tag(config=True)
    seed = Integer(help="What the hidden tests draw their inputs from.").tag(config=True)
    sandboxed = Bool(True, help="Whether the kernel runs in a sandbox.").tag(config=True)
    cell_seconds = Float(Limits.cell, help="The limit of a cell.").tag(config=True)

    def preprocess(self, nb, resources):
        """Run all code cells of a notebook, and leave their outputs in it."""
        source = nbformat.read(self.source, as_version=4)
        names = answers(source)
        with Kernel(Limits(cell=self.cell_seconds), self.sandboxed) as kernel:
            judged = {"__name__": "__main__", "SEED": self.seed}
            for cell in source.cells:
                if cell.cell_type == "code" and not is_grade(cell) and not is_solution(cell):
                    run_here(cell.source, judged)
            for number, cell in enumerate(nb.cells, 1):
                if cell.cell_type != "code":
                    continue
                cell.execution_count = number
                if is_grade(cell) and not is_solution(cell):
                    judged |= {name: Answer(kernel, name) for name in names}
                    cell.outputs = run_here(cell.source, judged)
                else:
                    cell.outputs = run_there(cell.source, kernel)
        text = json.dumps(nb, ensure_ascii=False).encode("utf-8", "replace")  # halves of signs
        return nbformat.from_dict(json.loads(text)), resources


def answers(source):
    """Return the names of the functions that the model answers define."""
    return [
        node.name
        for cell in source.cells
        if cell.cell_type == "code" and is_solution(cell)
        for node in ast.parse(cell.source).body
        if isinstance(node, ast.FunctionDef)
    ]


class Answer:
    """A function of the student, called in the student's kernel.

    After a call that had to be stopped, the others fail at once: each would cost its time again.

    Parameters
    ----------
    kernel : kernel.Kernel
    name : str
    """

    def __init__(self, kernel, name):
        self.kernel, self.__name__ = kernel, name
        self.stopped = None

    def __call__(self, *arguments):
        """Call the function; what it does to its arguments, and its warnings, happen here too."""
        if self.stopped:
            raise RuntimeError(f"not called any more: {self.stopped}")
        try:
            reply = self.kernel.call(self.__name__, arguments)
        except Stopped as stopped:
            self.stopped = stopped
            raise RuntimeError(f"stopped: {stopped}") from None
        copy_changes(list(arguments), reply["arguments"])
        for text in reply["warnings"]:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        if "error" in reply:
            name, text = reply["error"]
            kind = getattr(builtins, name, RuntimeError)
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                kind, text = RuntimeError, f"{name}: {text}"
            try:
                error = kind(text)
            except TypeError:  # UnicodeDecodeError and others want more than a text
                error = RuntimeError(f"{name}: {text}")
            raise error
        return reply["result"]


def copy_changes(ours, theirs):
    """Change our arguments as the student's function has changed its copies."""
    for mine, changed in zip(ours, theirs, strict=False):
        if isinstance(mine, np.ndarray) and isinstance(changed, np.ndarray):
            if mine.shape == changed.shape and mine.dtype == changed.dtype:
                mine[...] = changed
        elif isinstance(mine, list | tuple) and isinstance(changed, list | tuple):
            copy_changes(mine, changed)
            if isinstance(mine, list) and len(mine) != len(changed):
                mine[:] = changed


def run_here(source, namespace):
    """Run setup or tests in this process, and return the outputs."""
    printed, outputs = io.StringIO(), []
    name = f"<test {hashlib.sha256(source.encode()).hexdigest()[:8]}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, name, "exec"), namespace)
        except Exception as error:
            lines = traceback.format_exception_only(error)
            outputs.append(v4.new_output("error", ename=type(error).__name__, evalue=str(error)))
            outputs[0].traceback = [line.rstrip() for line in lines]
    if printed.getvalue():
        outputs.insert(0, v4.new_output("stream", name="stdout", text=printed.getvalue()))
    return outputs


def run_there(source, kernel):
    """Run a cell in the student's kernel, and return the outputs."""
    try:
        return kernel.run(source)
    except Stopped as stopped:
        text = f"This cell was stopped: {stopped}."
        return [v4.new_output("error", ename="Stopped", evalue=text, traceback=[text])]


class PlainRenderer(IPythonRenderer):
    """Markdown that runs nothing and loads nothing: formulas become MathML, HTML stays text."""

    def block_math(self, body):
        """Return a displayed formula."""
        return self.formula(body, "block")

    def inline_math(self, body):
        """Return a formula in a line."""
        return self.formula(body, "inline")

    def formula(self, body, display):
        """Return MathML of known attributes only, or the formula as it was typed."""
        try:
            element = mathml(body, display=display)
        except Exception:
            return f"<code>{html.escape(body)}</code>"
        for part in element.iter():
            part.text = html.unescape(part.text or "")
            for name in part.attrib.keys() - FORMULA_ATTRIBUTES:
                del part.attrib[name]
        return ElementTree.tostring(element, encoding="unicode")

    def image(self, text, url, title=None):
        """Return a picture that was pasted into the answer, and the name of any other."""
        for kind, data in self.attachments.get(url.removeprefix("attachment:"), {}).items():
            source = f"data:{kind};base64,{''.join(data.split())}"
            return f'<img src="{html.escape(source)}" alt="{html.escape(text)}">'
        return f"<code>{html.escape(f'![{text}]({url})')}</code>"

    def block_mermaidjs(self, code):
        """Return a diagram as text."""
        return f"<pre>{html.escape(code)}</pre>"


@pass_context
def markdown_to_html(context, source):
    """Return Markdown as HTML that runs nothing and needs no network."""
    attachments = context.get("cell", {}).get("attachments", {})
    renderer = PlainRenderer(
        escape=True,
        allow_harmful_protocols=False,
        exclude_anchor_links=True,
        attachments=attachments,
    )
    return MarkdownWithMath(renderer=renderer).render(source)
