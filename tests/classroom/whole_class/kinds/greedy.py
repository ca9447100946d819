"""Answers that use too much: time, memory, processes, files, output."""

from tests.classroom.submissions import GOOD_1
from tests.classroom.whole_class.kinds.kind import ANY, answers, changes

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
RAW = r"""
import threading
def flood():
    socket = get_ipython().kernel.iopub_thread
    while True:
        socket.send_multipart([b"x", b"<IDS|MSG>", b"0" * 10**7])
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
