"""Answers that use too much: time, memory, processes, files, output."""

from tests.classroom.submissions import GOOD_1
from tests.classroom.whole_class.kinds.kind import ANY, added, answers, changes

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
PIPES = r"""
import os
for number in range(3, 256):
    try:
        os.write(number, b"x" * 10)
    except OSError:
        pass
"""
MEMFD = """
import os
files = []
for number in range(200):
    files.append(os.memfd_create("x"))
    os.posix_fallocate(files[-1], 0, 60 * 2**20)
"""
UNMAPPED = """
import mmap
areas = []
while True:
    areas.append(mmap.mmap(-1, 2**26))
    for page in range(0, 2**26, 4096):
        areas[-1][page] = 1
    areas[-1].madvise(mmap.MADV_DONTNEED)
"""
SOCKETS = """
import resource, socket
pairs = []
while True:
    pairs.append(socket.socketpair())
    pairs[-1][0].setblocking(False)
    try:
        while True:
            pairs[-1][0].send(bytes(2**16))
    except BlockingIOError:
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
RAW = r"""
import os, threading
def flood():
    while True:
        for number in range(3, 20):
            try:
                os.write(number, b"0" * 10**6)
            except OSError:
                pass
"""
PICTURE = """
import base64
from IPython.display import display
display({"image/png": base64.b64encode(bytes(360_000)).decode()}, raw=True)
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
    answers("noise in the pipes", PIPES + GOOD_1, marks=(ANY, 3)),
    answers("memory in files", MEMFD, page=["memory"]),
    answers("memory out of sight", UNMAPPED, page=["memory"]),
    answers("memory in sockets", SOCKETS),
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
    answers("huge formulas", marks=(4, 3), q3=r"$\begin{a}" * 4000 + "$" + " $x^2$" * 1500),
    answers("huge table", marks=(4, 3), q3="|" * 9000 + "\n" + "|-" * 8999 + "|\n" + "|\n" * 9000),
    answers("endless brackets", marks=(4, 3), q3="[" * 20_000 + "*a_ " * 7000),
    changes("many pictures", added(*[PICTURE] * 30), page=["too large to be shown here"]),
    changes("many prints", added(*["print('<' * 30000)"] * 60), page=["there is no room for more"]),
    answers(
        "long list of strings",
        "softmax_at = lambda x, T: ['x' * 2000] + [''] * 400_000",
        page=["it sent more than 1 MiB"],
    ),
    changes(
        "too long",
        lambda made: None,
        (0, 0),
        note="hw.ipynb is too long: a cell may have 50000 characters",
        q3="x" * 50_001,
    ),
    changes("z good", lambda made: None),
]
ALONE = {
    "memory of several",
    "memory in files",
    "memory out of sight",
    "fork bomb",
    "thread bomb",
    "orphans",
}
BOMBS = [kind for kind in LIMITS if kind.name in {*ALONE, "A good one", "z good"}]
LIMITS = [kind for kind in LIMITS if kind.name not in ALONE]
