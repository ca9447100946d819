"""Answers that try to get marks, secrets, or at others."""

from tests.classroom.submissions import GOOD_1, NAIVE_1
from tests.classroom.whole_class.kinds.kind import ANY, added, answers, changes

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
places += ["<MARKS>/by-hand.json", "<MARKS>/marked", "<MARKS>/marks.csv", "/root", "/home/*"]
places += ["<ROOT>/shared", "<ROOT>/../shared", "/mnt/*", "/media/*", "/var/*", "/opt/*", "/srv/*"]
places += ["/run/*", "/sys/*", "/proc/1/root<ROOT>/book", "/proc/1/cwd/book", "/dev/sd*"]
places += ["/dev/nvidia*", "/dev/vd*", "/boot/*", "/root/.*", "/etc/passwd"]
for pattern in places:
    for path in glob.glob(pattern):
        if path != "/opt/python" and not sys.base_prefix.startswith(path):
            say("file", path)
for folder, folders, names in os.walk("<ROOT>"):
    # the package and the environment are what everybody has
    given = {"<ROOT>": ".venv-classroom", "<ROOT>/src": "stable_softmax"}.get(folder)
    folders[:] = [name for name in folders if name != given]
    for name in names:
        say("file", folder, name)
for path in glob.glob("/tmp/*"):  # the way to its own environment is there
    if not "<ROOT>/".startswith(path + "/"):
        say("folder", path)
for pid in glob.glob("/proc/[0-9]*"):
    try:
        words = open(pid + "/cmdline").read()
        if "-m\0classroom" in words or "pytest" in words:
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
    print("FO" + "UND", line)
print("sear" + "ched")
"""

WRITES = r"""
import os, sys

for folder in ["<ROOT>", "<ROOT>/src", "<ROOT>/book", "<HERE>", "<MARKS>", "<MARKS>/marked", "/",
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
FORGED = r"""
import json, os, sys
def say(outputs):
    for number in range(3, 20):
        for order in range(40):
            try:
                os.write(number, json.dumps({"number": order, "outputs": outputs}).encode() + b"\n")
            except OSError:
                break
bad = "<script>alert(1)</script><b onclick=x>"
say([["stdout", bad], ["error", bad], ["text", "\x1b[31m" + bad], ["png", '" onerror="alert(1)']])
say([["html", bad], ['"><script>', bad], [bad, ["x"]]])
"""
GARBAGE = r"""
import sys
def softmax_at(x, T):
    serve = sys._getframe(2).f_globals
    serve["json"].dumps = lambda *given, **options: "x" * 1000
    return x
"""
TRIES = [
    changes("A good one", lambda made: None),
    answers("searches", SEARCH, page=["searched"]),
    answers("network", NETWORK + GOOD_1, marks=(4, 3), page=["searched"]),
    answers("writes", WRITES + GOOD_1, marks=(4, 3), page=["searched"]),
    changes("hooks", added(HOOKS), (0, ANY), q1=NAIVE_1),
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
    answers("forged outputs", FORGED + GOOD_1, marks=(ANY, ANY)),
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
