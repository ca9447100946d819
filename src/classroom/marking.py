"""Mark one notebook: its answers run in a kernel, out of reach of the tests, which run here."""

import builtins
import contextlib
import io
import signal
import time
import traceback
import warnings

import nbformat

from .course import role
from .kernel import Kernel, Stopped

# they would end a loop of a test (PEP 479), or be what it takes for a sign of its own
SIGNALS = (StopIteration, StopAsyncIteration, MemoryError, TimeoutError, Warning)


def judge(course, notebook, seconds, sandboxed=True, seed=None):
    """Run a notebook and its tests; return the marks of the questions, and each cell's outputs."""
    # hidden tests draw their inputs from it: the same whenever this notebook is marked
    seed = int(course.digest(nbformat.writes(notebook))[:8], base=16) if seed is None else seed
    tests = {cell.id: cell for cell in course.source.cells if role(cell) == "test"}
    marks, outputs = {course.question(test): 0.0 for test in tests.values()}, []
    with Kernel(seconds, sandboxed) as kernel:
        judged = set_up(course) | {"SEED": seed, "FORGET": kernel.stop}
        for cell in notebook.cells:
            test, shown = tests.get(cell.id), []
            if test:
                judged |= {name: Answer(kernel, name) for name in course.names}
                passed, shown = run_here(test.source, judged)
                marks[course.question(test)] += test.metadata.nbgrader.points if passed else 0
            elif cell.cell_type == "code":
                shown = kernel.run(cell.source)
            outputs.append(shown)
    return marks, outputs


def set_up(course):
    """Return the names that the cells of an assignment define before its tests run."""
    namespace = {"__name__": "__main__"}
    for cell in course.source.cells:
        if cell.cell_type == "code" and not role(cell):
            run_here(cell.source, namespace)
    return namespace


@contextlib.contextmanager
def patience(seconds):
    """Raise TimeoutError in what takes longer, and again each second as long as it goes on."""

    def stop(*_):
        raise TimeoutError(f"more than {seconds:g} s")

    before, start = signal.signal(signal.SIGALRM, stop), time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        left = max(left - (time.monotonic() - start), 0.01) if left else 0  # around this one
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left, interval)


class Answer:
    """A function of the student, called in the student's kernel with copies of its arguments."""

    def __init__(self, kernel, name):
        self.kernel, self.__name__, self.stopped = kernel, name, None

    def __call__(self, *arguments):
        """Call it; its errors and NumPy's warnings are raised here as well."""
        if self.stopped:  # else each call would cost its time again
            raise RuntimeError(f"not called any more: {self.stopped}")
        try:
            reply = self.kernel.call(self.__name__, arguments)
        except Stopped as stopped:
            self.stopped = stopped
            raise RuntimeError(f"stopped: {stopped}") from None
        for text in reply["warnings"]:
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        if "error" in reply:
            raise error_of(*reply["error"])
        if reply["changed"]:
            raise RuntimeError("the argument was changed")
        return reply["result"]


def error_of(name, text):
    """Return the error of a student's function, or a RuntimeError that names it."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, SIGNALS):
        with contextlib.suppress(TypeError):  # UnicodeDecodeError and others want more than a text
            return kind(text)
    return RuntimeError(f"{name}: {text}")


def run_here(source, namespace):
    """Run setup or tests in this process; return whether it passed, and the outputs."""
    printed, failed = io.StringIO(), []
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(source, "<test>", "exec"), namespace)
        except Exception as error:
            text = "".join(traceback.format_exception_only(error))
            failed = [("stderr", text[:5000].rstrip())]
    shown = [("stdout", printed.getvalue()[:50_000])] if printed.getvalue() else []
    return not failed, shown + failed
