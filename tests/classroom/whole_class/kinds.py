"""Every kind of submission, with the marks that it must get."""

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.classroom.submissions import (
    GOOD_1,
    GOOD_2,
    NAIVE_1,
    NAIVE_2,
    ROOT,
    VISIBLE_1,
    cell,
    code,
    filled,
    packed,
    place,
    write,
    zipped,
)

WAITS = "q3 waits for a mark by hand."
ANY = None  # a mark that is not determined


@dataclass
class Place:
    """Where a class is marked: its folders, and the port of a server that is to stay unreached."""

    handed_in: Path
    marks: Path
    port: int


@dataclass
class Kind:
    """A kind of submission.

    Parameters
    ----------
    name : str
        The student.
    make : callable
        Given the released notebook and the place, returns a notebook, a dict of names to bytes, or
        None if it has written into the folder, its third argument, itself.
    q1, q2 : int or None
    note : str
        What the note begins with.
    page : list of str
        What stands on the feedback page.
    """

    name: str
    make: Callable
    q1: int | None
    q2: int | None
    note: str = WAITS
    page: tuple = ()

    def hand_in(self, released, folder, here):
        made = self.make(released, here, folder)
        if made is not None:
            made = made if "cells" not in made and "worksheets" not in made else notebook(made)
            write(folder, made)


def notebook(content):
    return {"hw.ipynb": packed(content)}


def answers(name, q1=GOOD_1, q2=GOOD_2, marks=(0, 3), page=(), **other):
    """Return a kind by its answers to the questions."""

    def make(released, here, folder):
        text = {"HERE": str(here.handed_in), "MARKS": str(here.marks), "PORT": str(here.port)}
        text["ROOT"] = str(ROOT)
        source = q1
        for word, value in text.items():
            source = source and source.replace(f"<{word}>", value)
        return filled(released, source, q2, **other)

    return Kind(name, make, *marks, page=page)


def changes(name, change, marks=(4, 3), page=(), note=WAITS, **given):
    """Return a kind by what is done to the notebook with right answers."""

    def make(released, here, folder):
        made = filled(released, **given)
        return change(made) or made

    return Kind(name, make, *marks, note, page)


def files(name, make, says, marks=(0, 0)):
    """Return a kind by its files; `make` gets the right notebook as bytes."""
    return Kind(name, lambda r, here, folder: make(packed(filled(r))), *marks, note=says)


def writes(name, make, says):
    """Return a kind that cannot be had from names and bytes."""

    def run(released, here, folder):
        make(folder)

    return Kind(name, run, 0, 0, note=says)


# Notebooks that are changed, damaged or something else


def each_cell(function):
    def change(made):
        for part in made["cells"]:
            function(part)

    return change


def old_schema(part):
    nbgrader = part["metadata"].get("nbgrader", {})
    if nbgrader:
        nbgrader["schema_version"] = 2
        nbgrader.pop("task")


def split(made):
    at = place(made, "q1")
    pieces = [copy.deepcopy(cell(made, "q1")) for _ in range(2)]
    lines = GOOD_1.splitlines(keepends=True)
    pieces[0]["source"], pieces[1]["source"] = "".join(lines[:3]), "".join(lines[3:])
    made["cells"][at : at + 1] = pieces


def copied(made):
    made["cells"].insert(place(made, "q1"), {**cell(made, "q1"), "source": NAIVE_1})


def copied_test(made):
    test = copy.deepcopy(cell(made, "q1-hidden"))
    made["cells"] += [test, test]


def without(*parts):
    def change(made):
        for part in parts:
            made["cells"].remove(cell(made, part))

    return change


def edited_tests(made):
    for part in ("q1-visible", "q1-hidden", "q2-visible", "q2-hidden"):
        cell(made, part)["source"] = "assert True"
        cell(made, part)["metadata"]["nbgrader"]["points"] = 100


def renamed_tests(made):
    for number in (1, 2):
        test = cell(made, f"q{number}-hidden")
        test["id"] = test["metadata"]["nbgrader"]["grade_id"] = f"mine-{number}"


def more_tests(made):
    test = copy.deepcopy(cell(made, "q1-hidden"))
    test["id"] = test["metadata"]["nbgrader"]["grade_id"] = "temperature-q1-more"
    test["source"], test["metadata"]["nbgrader"]["points"] = "assert True", 50
    made["cells"].append(test)


def added(*sources, before="q1"):
    def change(made):
        at = place(made, before)
        made["cells"][at:at] = [code(text, id=f"x{i}") for i, text in enumerate(sources)]

    return change


def version_3(made):
    cells = []
    for part in made["cells"]:
        old = {"cell_type": part["cell_type"], "metadata": part["metadata"]}
        field = "input" if part["cell_type"] == "code" else "source"
        old |= {field: part["source"]}
        cells.append(old | ({"language": "python", "outputs": []} if field == "input" else {}))
    sheet = {"cells": cells, "metadata": {}}
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [sheet]}


def picture(made):
    part = cell(made, "q3")
    part["source"] = "By hand: ![sum](attachment:image.png) and ![](attachment:lost.png)"
    dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU"
    part["attachments"] = {"image.png": {"image/png": dot + "5ErkJggg=="}}


def outputs_of_others(made):
    bad = "<script>alert(1)</script>"
    cell(made, "q1")["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": bad}}
    ]
    made["metadata"]["title"] = bad


MARKDOWN = r"""# <img src=x onerror=alert(1)>
<script>alert(1)</script> <svg onload=alert(1)> <style>body {display: none}</style>
[link](javascript:alert(1)) <javascript:alert(1)> ![pixel](http://example.com/pixel.png)
$\text{<img src=x onerror=alert(1)>}$ $\href{javascript:alert(1)}{x}$
$$\style{background:url(http://example.com)}{y} \mbox{<script>alert(1)</script>}$$
```"><script>alert(1)</script>
<script>alert(1)</script>
```
"""

BLANK = changes("blank", lambda made: None, (0, 0), note="", q1=None, q2=None, q3=None)
FILES = [
    changes("A good one", lambda made: None, page=["12 of 12 checks passed"]),
    BLANK,
    answers("half right", VISIBLE_1, marks=(1, 3), page=["6 of 6 checks passed", "FAIL"]),
    answers("naive", NAIVE_1, NAIVE_2, marks=(0, 0), page=["overflow encountered in exp"]),
    files("another name", lambda good: {"Mein Heft (1).json": good}, WAITS, (4, 3)),
    files("two equal", lambda good: {"a.ipynb": good, "b.ipynb": good}, WAITS, (4, 3)),
    files(
        "two different",
        lambda good: {"a.ipynb": good, "b.ipynb": good.replace(b"axis=-1", b"axis=0")},
        "There are 2 different notebooks: a.ipynb and b.ipynb; keep one.",
    ),
    files("a zip", lambda good: {"all.zip": zipped({"a/hw.ipynb": good})}, WAITS, (4, 3)),
    files("a broken zip", lambda good: {"a.zip": b"PK", "hw.ipynb": good}, WAITS, (4, 3)),
    files("half a file", lambda good: {"hw.ipynb": good[:-50]}, "hw.ipynb is damaged"),
    files("an empty file", lambda good: {"hw.ipynb": b""}, "hw.ipynb is damaged"),
    files("a PDF", lambda good: {"hw.pdf": b"%PDF-1.4 \xff"}, "hw.pdf is no notebook (.ipynb)."),
    files("formula in a name", lambda good: {'=HYPERLINK("x").pdf': b"%PDF"}, ("'", "“", " ")),
    writes("an empty folder", lambda folder: None, "There is no file"),
    writes(
        "a link",
        lambda folder: (folder / "hw.ipynb").symlink_to(folder.parent / "A good one/hw.ipynb"),
        "hw.ipynb is a link or a device, and no file.",
    ),
    writes(
        "a pipe",
        lambda folder: os.mkfifo(folder / "hw.ipynb"),
        "hw.ipynb is a link or a device, and no file.",
    ),
    files(
        "another assignment",
        lambda good: {"hw.ipynb": good.replace(b"temperature-", b"smoothing-")},
        "hw.ipynb is no notebook of this assignment.",
    ),
    changes("split answer", split),
    changes("copied answer", copied),
    changes("copied test", copied_test),
    changes("metadata lost", each_cell(lambda part: part.update(metadata={}))),
    changes("names lost", each_cell(lambda part: part.pop("id"))),
    changes(
        "all lost",
        each_cell(lambda part: part.update(metadata={}, id=f"other-{id(part)}")),
        (0, 0),
        note="hw.ipynb is no notebook of this assignment.",
    ),
    changes("old metadata", each_cell(old_schema)),
    changes("old notebook", version_3),
    changes("tests deleted", without("q1-visible", "q1-hidden", "q2-visible", "q2-hidden")),
    changes("answer deleted", without("q1"), (0, 3)),
    changes("text deleted", without("0", "2", "6", "10")),
    changes("order reversed", lambda made: made["cells"].reverse(), (ANY, ANY)),
    changes("tests edited", edited_tests, (0, 3), q1=NAIVE_1),
    changes("tests renamed", renamed_tests, (0, 3), q1=NAIVE_1),
    changes("tests added", more_tests),
    changes("no identifier", lambda made: cell(made, "0").update(id=[1])),
    changes("a picture", picture),
    changes("outputs of others", outputs_of_others),
    changes("own cells", added("half = 0.5", "1 / 0", "%matplotlib inline\n!true")),
    changes("odd signs", added("# \x00 \ud800 \x1b[31m \u202e", "'\x07'")),
    answers("Markdown", GOOD_1, marks=(4, 3), q3=MARKDOWN),
    changes(
        "too many cells",
        lambda made: made["cells"].extend([code("1", id="temperature-0")] * 50_000),
        (0, 0),
        note="hw.ipynb",
    ),
    changes("z good", lambda made: None),
]


# Answers that try to get marks, secrets, or at others

SEARCH = r"""
import gc, glob, inspect, os, sys
backwards = ["NEDDIH NIGEB", "x((tcaxe_xamtfos"]

def say(*words):
    print("FO" + "UND", *words)

def look(where):
    for text in gc.get_objects():
        if isinstance(text, (list, dict)) and len(text) < 2000:
            for item in (text.values() if isinstance(text, dict) else text):
                if isinstance(item, str) and any(b[::-1] in item for b in backwards):
                    say("text", where)
    frame = sys._getframe()
    while frame:
        for name, value in [*frame.f_locals.items(), *frame.f_globals.items()]:
            if name in {"cases", "SEED", "exact", "expected", "judged"}:
                say("frame", name)
        frame = frame.f_back
    for info in inspect.stack():
        if "marking" in info.filename or "test_" in info.filename:
            say("stack", info.filename)

def softmax_at(x, T):
    look("call")
    return np.exp(x / 2)

look("cell")
places = ["<ROOT>/book", "<ROOT>/tests", "<ROOT>/.git", "<HERE>", "<MARKS>", "<ROOT>/README.md"]
places += ["<MARKS>/nbgrader/gradebook.db", "<MARKS>/marks.csv", "/etc/passwd", "/root", "/home/*"]
places += ["<ROOT>/shared", "<ROOT>/../shared", "/mnt/*", "/media/*", "/var/*", "/opt/*", "/srv/*"]
places += ["/run/*", "/sys/*", "/proc/1/root<ROOT>/book", "/proc/1/cwd/book", "/dev/sd*"]
places += ["/dev/nvidia*", "/dev/vd*", "/boot/*", "/root/.*", "/tmp/kernel-*/../pytest*"]
for pattern in places:
    for path in glob.glob(pattern):
        if path != "/opt/python" and not sys.base_prefix.startswith(path):
            say("file", path)
for folder, folders, names in os.walk("<ROOT>"):
    if folder == "<ROOT>":  # the package and the environment are what everybody has
        folders[:] = set(folders) - {".venv-classroom", "src"}
    for name in names:
        say("file", folder, name)
mine = os.path.dirname(sys.argv[sys.argv.index("-f") + 1])
for path in glob.glob("/tmp/*"):  # its own sockets and the way to its own folder are there
    ours = any(known.startswith(path + "/") for known in [mine, "<ROOT>/"])
    if not ours and not path.startswith("/tmp/kernel-"):
        say("folder", path)
if len(os.listdir(os.path.dirname(mine))) > 1:
    say("folders", os.listdir(os.path.dirname(mine)))
for pid in glob.glob("/proc/[0-9]*"):
    try:
        words = open(pid + "/cmdline").read()
        if "classroom" in words or "pytest" in words:
            say("process", words)
        if "HERE" in open(pid + "/environ").read():
            say("environment", pid)
    except OSError:
        pass
for name in os.environ:
    if name not in {"PATH", "HOME", "LANG", "MPLBACKEND", "TERM", "CLICOLOR", "PAGER", "PWD"}:
        if not name.startswith(("PYTHON", "OPENBLAS", "OMP", "JPY", "PYDEVD", "GIT_", "CLICOLOR",
                                "FORCE_COLOR", "KMP", "COLUMNS", "LINES")):
            say("variable", name)
if "SEED" in globals():
    say("SEED")
print("sear" + "ched")
"""

NETWORK = r"""
import socket, urllib.request

def attempt(function):
    try:
        function()
        print("FO" + "UND a way out", function)
    except Exception:
        pass

attempt(lambda: socket.create_connection(("127.0.0.1", <PORT>), 1))
attempt(lambda: socket.create_connection(("1.1.1.1", 53), 1))
attempt(lambda: socket.create_connection(("::1", <PORT>), 1))
attempt(lambda: socket.getaddrinfo("example.com", 80))
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt(lambda: urllib.request.urlopen("http://127.0.0.1:<PORT>", timeout=1))
for line in open("/proc/net/unix").read().splitlines()[1:]:
    if "/tmp/kernel-" not in line and "@" in line:
        print("FO" + "UND", line)
print("sear" + "ched")
"""

WRITES = r"""
import os, sys

for folder in ["<ROOT>", "<ROOT>/src", "<ROOT>/book", "<HERE>", "<MARKS>", "<MARKS>/nbgrader", "/",
               "/usr", "/usr/bin", "/etc", "/root", "/home", "/var/tmp", "/dev", "/run", "/proc",
               sys.prefix, sys.base_prefix, np.__path__[0], "/proc/self/root/usr"]:
    try:
        with open(folder + "/left-here", "w") as file:
            file.write("x")
        print("FO" + "UND", folder)
    except OSError:
        pass
for act in [lambda: os.setuid(0), lambda: os.chroot("/tmp"), lambda: os.setgid(0),
            lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)), lambda: os.nice(-5),
            lambda: os.unshare(0) if hasattr(os, "unshare") else 1 / 0,
            lambda: os.kill(1, 9) or 1 / 0, lambda: os.remove(np.__file__)]:
    try:
        act()
        print("FO" + "UND", act)
    except (OSError, ZeroDivisionError):
        pass
os.makedirs("/tmp/.ipython/profile_default/startup", exist_ok=True)
with open("/tmp/.ipython/profile_default/startup/a.py", "w") as file:
    file.write("print('FO' + 'UND a file of another student')")
print("sear" + "ched")
"""

REPLY = r"""
def softmax_at(x, T):
    import base64, json
    json.dumps = lambda *given, **options: %s
    return x
"""
HOOKS = r"""
import sys
shell = get_ipython()
shell.events.register("pre_run_cell", lambda *given: None)
shell.events.register("post_execute", lambda: 1 / 0)
shell.input_transformers_cleanup.append(lambda lines: [*lines, "pass\n"])
shell.user_ns["check_cases"] = lambda *given, **options: True
seen = []
def trace(frame, event, value):
    if "reply" in frame.f_locals:
        frame.f_locals["reply"]["result"] = True
        seen.append(frame)
    return trace
sys.settrace(trace)
sys.setprofile(trace)
"""
PATCHES = r"""
import builtins, unittest.mock
import stable_softmax.checks, stable_softmax.checks.report, stable_softmax.measure.error
check_cases = lambda *given, **options: True
for module in (stable_softmax.checks, stable_softmax.checks.report):
    module.check_cases = check_cases
stable_softmax.checks.report._failure = lambda *given: None
stable_softmax.checks.report.ulp_error = stable_softmax.measure.error.ulp_error = (
    lambda computed, expected: 0 * expected
)
np.testing.assert_allclose = np.array_equal = np.allclose = lambda *given, **options: True
np.all = builtins.all = lambda *given, **options: True
builtins.AssertionError = builtins.Warning
"""
FAKE = r"""
class Everything:
    def __getattr__(self, name):
        return self
    def __call__(self, *given, **options):
        return self
    __eq__ = __le__ = __lt__ = __ge__ = lambda self, other: True
    __add__ = __sub__ = __truediv__ = __mul__ = __rsub__ = __call__
    __getitem__ = __array__ = __call__
    __bool__ = lambda self: True
np = Everything()
"""
DISPLAYS = r"""
from IPython.display import HTML, Javascript, Markdown, SVG, display
bad = "<script>alert(1)</script><img src=x onerror=alert(1)>"
display(HTML(bad), Markdown(bad), Javascript("alert(1)"))
display({"image/svg+xml": "<svg onload=alert(1)></svg>", "text/html": bad, "text/latex": bad,
         "application/javascript": "alert(1)", "text/plain": bad}, raw=True)
display({"image/png": '" onerror="alert(1)" x="' + "<script>alert(1)</script>"}, raw=True)
display({"image/jpeg": '"><script>alert(1)</script>', "text/plain": "x"}, raw=True)
print(bad, "\x1b[31m<script>alert(1)</script>\x1b[0m", "\x1b]8;;javascript:alert(1)\x07x")
"""
STREAM = r"""
kernel = get_ipython().kernel
for name in ['"><script>alert(1)</script>', "stderr"]:
    kernel.send_response(kernel.iopub_socket, "stream", {"name": name, "text": "<b onclick=x>"})
kernel.send_response(kernel.iopub_socket, "execute_result", {"execution_count": "<script>",
    "data": {"text/plain": "<script>"}, "metadata": {}})
kernel.send_response(kernel.iopub_socket, "error", {"ename": ["<script>"], "evalue": "<script>",
    "traceback": ["<script>alert(1)</script>", "\x1b[31m<script>"]})
"""
GARBAGE = r"""
kernel = get_ipython().kernel
def softmax_at(x, T):
    kernel.iopub_thread.send_multipart([b"x" * 1000] * 9)
    kernel.session.send = lambda *given, **options: None
    return x
"""
RAW = r"""
import threading
def flood():
    socket = get_ipython().kernel.iopub_thread
    while True:
        socket.send_multipart([b"x", b"<IDS|MSG>", b"0" * 10**7])
"""
TRIES = [
    changes("A good one", lambda made: None),
    answers("searches", SEARCH, page=["searched"]),
    answers("network", NETWORK + GOOD_1, marks=(4, 3), page=["searched"]),
    answers("writes", WRITES + GOOD_1, marks=(4, 3), page=["searched"]),
    changes("hooks", added(HOOKS), (0, 0), q1=NAIVE_1),
    changes("patches", added(PATCHES), (0, 3), q1=NAIVE_1),
    answers("fake np", FAKE + GOOD_1, marks=(0, 0)),
    answers(
        "equals all", "class E:\n    __eq__ = lambda s, o: True\nsoftmax_at = lambda x, T: E()"
    ),
    answers("objects", "softmax_at = lambda x, T: np.array([None] * 3)", page=["cannot be marked"]),
    answers("list of strings", "softmax_at = lambda x, T: ['a'] * 3"),
    answers("no function", "softmax_at = 3", page=["is not callable"]),
    answers("other name", "def softmax(x, T): return x", page=["NameError"]),
    answers("raises", "def softmax_at(x, T): raise AssertionError('passed')"),
    answers("raises exit", "def softmax_at(x, T): raise KeyboardInterrupt"),
    answers("odd error", "def softmax_at(x, T): raise UnicodeDecodeError('a', b'', 0, 1, 'b')"),
    answers("long error", "def softmax_at(x, T): raise ValueError('<script>' * 10**6)"),
    answers("long text", "softmax_at = lambda x, T: 'x' * 3 * 10**7"),
    answers("deep list", "a = []\nfor _ in range(10**4): a = [a]\nsoftmax_at = lambda x, T: a"),
    answers("deep reply", REPLY % "'[' * 10**5 + ']' * 10**5"),
    answers("huge reply", REPLY % "'[' + '[],' * 3 * 10**6 + '1]'"),
    answers("wrong reply", REPLY % '\'{"arguments": 5, "warnings": 7, "result": []}\''),
    answers("no reply", REPLY % "'7'"),
    answers("error reply", REPLY % '\'{"arguments": ["list"], "warnings": [], "error": [1]}\''),
    answers("garbage", GARBAGE),
    answers("displays", DISPLAYS + GOOD_1, marks=(4, 3)),
    answers("streams", STREAM + GOOD_1, marks=(ANY, ANY)),
    answers("changes argument", "def softmax_at(x, T):\n    x -= x.max()\n    return x / x.sum()"),
    answers("package", "import stable_softmax as s" + GOOD_1, marks=(4, 3)),
    answers("prints", "print('hello')" + GOOD_1.replace("z = x", "print(T); z = x"), marks=(4, 3)),
    answers(
        "warns",
        "import warnings, sys, logging\nwarnings.warn('old', DeprecationWarning)\n"
        + "np.float64(1) / np.float64(0)\nlogging.warning('x')\n"
        + GOOD_1.replace("z = x", "warnings.warn('x'); print('e', file=sys.stderr); z = x"),
        marks=(4, 3),
    ),
    answers("input", "T = input('T? ')\n" + GOOD_1),
    answers(
        "slow", "import time\n" + GOOD_1.replace("z = x", "time.sleep(0.1); z = x"), marks=(4, 3)
    ),
    answers(
        "ends later",
        "import os, threading\nthreading.Timer(0.3, os._exit, [0]).start()",
        marks=(ANY, ANY),
    ),
    answers("shell", "!kill -9 $PPID\n%reset -f\nimport numpy as np\n" + GOOD_1, marks=(ANY, ANY)),
    changes("z good", lambda made: None),
]


# Answers that use too much

STUBBORN = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
DEEP = r"""
import os
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
"""
DISK = r"""
import os
for number in range(100):
    with open(f"{number}", "wb") as file:
        file.write(bytes(5 * 10**7))
"""
UNLINKED = r"""
files = []
for number in range(100):
    files.append(open("file", "wb", buffering=0))
    os.remove("file")
    for _ in range(5):
        files[-1].write(bytes(10**7))
"""
CONNECTION = r"""
import os, sys
file = sys.argv[sys.argv.index("-f") + 1]
folder = os.path.dirname(file)
for act in [lambda: os.remove(file), lambda: os.rename(file, "/tmp/x"), lambda: os.rmdir(folder),
            lambda: os.symlink("/etc", folder + "/etc"), lambda: os.chmod(folder, 0)]:
    try:
        act()
    except OSError:
        pass
for name in os.listdir(folder):
    try:
        os.remove(f"{folder}/{name}")
    except OSError:
        pass
"""
FORKS = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
THREADS = """
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
"""
ORPHANS = """
import os, time
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(0)
"""
LIMITS = [
    changes("A good one", lambda made: None),
    answers("error", "1 / 0", page=["ZeroDivisionError"]),
    answers("syntax", "def softmax_at(x, T:", page=["SyntaxError"]),
    answers("loop", "while True:\n    pass", page=["more than 3 s"]),
    answers("loop in C", "sum(range(10**13))", page=["more than 3 s"]),
    answers("loop that is stubborn", STUBBORN, page=["more than 3 s"]),
    answers("loop in the function", "def softmax_at(x, T):\n    while True:\n        pass"),
    answers("loop in both", "while True:\n    pass", "sum(range(10**13))", marks=(0, 0)),
    answers("os exit", "import os\nos._exit(0)", page=["it ended Python"]),
    answers("sys exit", "import sys\nsys.exit()"),
    answers("exit", "exit()"),
    answers("exit in the function", "import os\nsoftmax_at = lambda x, T: os._exit(0)"),
    answers("sys exit in the function", "import sys\nsoftmax_at = lambda x, T: sys.exit()"),
    answers("crash", "import ctypes\nctypes.string_at(0)", page=["it ended Python"]),
    answers("kills all", "import os\nos.kill(-1, 9)\nos.kill(os.getpid(), 9)"),
    answers("stops itself", "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    answers("other program", "import os\nos.execv('/bin/sleep', ['sleep', '1000'])"),
    answers("closes all", "import os\nos.closerange(0, 256)"),
    answers("memory", "x = []\nwhile True:\n    x.append(b'1' * 10**7)"),
    answers("memory at once", "x = np.ones(10**12)", page=["MemoryError"]),
    answers(
        "memory of several",
        "import os\nos.fork(); os.fork()\nx = []\nwhile True:\n    x.append(b'1' * 10**7)",
    ),
    answers(
        "shared memory",
        "file = open('/dev/shm/x', 'wb')\nwhile True:\n    file.write(bytes(10**7))",
    ),
    answers("fork bomb", FORKS),
    answers("thread bomb", THREADS),
    answers("orphans", ORPHANS + GOOD_1, marks=(4, 3)),
    answers("disk", DISK, page=["OSError"]),
    answers("disk unseen", "import os" + UNLINKED, page=["OSError"]),
    answers("connection removed", CONNECTION + GOOD_1, marks=(ANY, 3)),
    answers("deep folders", DEEP + GOOD_1, marks=(ANY, ANY)),
    answers(
        "flood",
        "for i in range(2 * 10**4): print(i)\nprint('x' * 10**7)" + GOOD_1,
        marks=(4, 3),
        page=["more was printed"],
    ),
    answers("endless flood", "while True:\n    print('x' * 10**6)"),
    answers(
        "flood in the function",
        "def softmax_at(x, T):\n    while True:\n        print('x' * 10**6)",
    ),
    answers(
        "flood of bytes",
        RAW + "threading.Thread(target=flood, daemon=True).start()",
        marks=(0, ANY),
    ),
    changes("z good", lambda made: None),
]
ALONE = {"memory of several", "fork bomb", "thread bomb", "orphans"}
BOMBS = [kind for kind in LIMITS if kind.name in {*ALONE, "A good one", "z good"}]
LIMITS = [kind for kind in LIMITS if kind.name not in ALONE]
GROUPS = {"files": FILES, "tries": TRIES, "limits": LIMITS, "bombs": BOMBS}
