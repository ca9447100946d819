"""The sandbox for other people's code, and its limits: the command that runs another one in it."""

import ctypes
import functools
import os
import platform
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "stable_softmax"  # what answers may import besides the environment
# what the code of one student may use: bytes, files in memory counted as well, and processes
MEMORY, FILES, PROCESSES = 2 * 2**30, 64 * 2**20, 64
SECONDS, CELLS = 10, 12  # of a cell, if the teacher says nothing; a notebook may take 12 times that
OF_THE_SYSTEM = "/usr /bin /lib /lib32 /lib64 /etc/localtime /etc/ld.so.cache"
ISOLATED = """--die-with-parent --new-session --clearenv --cap-drop ALL --unshare-net --unshare-pid
--unshare-ipc --unshare-uts --unshare-cgroup-try --proc /proc --dev /dev"""
UNPRIVILEGED = "--unshare-user --disable-userns"
# Root gets no user namespace before it has become another user; 61234 is the number of nobody.
AS_ROOT = "--cap-add CAP_SETUID --cap-add CAP_SETGID"
ANOTHER_USER = f"""setpriv --reuid 61234 --regid 61234 --clear-groups --inh-caps=-all
bwrap {UNPRIVILEGED} --die-with-parent --dev-bind / /"""
VARIABLES = """HOME=/tmp LANG=C.UTF-8 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1
OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MPLBACKEND=module://matplotlib_inline.backend_inline"""


def live_with_parent(parent):
    """End this process when its parent ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it has ended already
            os._exit(1)


def forget_keys():
    """Drop the keys that the session keeps for this process."""
    join_session_keyring = {"x86_64": 250, "aarch64": 219}.get(platform.machine(), -1)
    ctypes.CDLL(None).syscall(join_session_keyring, 1, None)


def memory_group():
    """Return a new control group that bounds all memory, files and pipes included, or None."""
    limits = {"": "memory.max", "memory": "memory.limit_in_bytes"}  # of both versions
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, own = line.split(":", 2)
        above = Path("/sys/fs/cgroup", kind, own[1:])
        above = above if above.is_dir() else Path("/sys/fs/cgroup", kind)
        group = above / f"classroom-{os.getpid()}-{os.urandom(4).hex()}"
        for old in above.glob("classroom-*"):  # of a grader that was killed
            with suppress(OSError):
                if not Path("/proc", old.name.split("-")[1]).exists():
                    old.rmdir()
        with suppress(OSError):
            if kind in limits and (above / limits[kind]).exists():
                group.mkdir()
                (group / limits[kind]).write_text(f"{MEMORY}")
                return group
    return None


@functools.cache
def memory_scope():
    """Return the command of systemd that bounds the memory of another one, or None."""
    scope = ["systemd-run", "--scope", "--quiet", "--collect", f"--property=MemoryMax={MEMORY}"]
    scope += ["--property=MemorySwapMax=0", *([] if os.geteuid() == 0 else ["--user"]), "--"]
    with suppress(OSError):
        if subprocess.run([*scope, "true"], capture_output=True, env=environment()).returncode == 0:
            return scope
    return None


def bounded(command):
    """Return the command that runs another one with a bound for all its memory, and its group."""
    if group := memory_group():
        enter = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group / "cgroup.procs")]
        return [*enter, *command], group
    return [*(memory_scope() or []), *command], None


def environment():
    """Return the variables of the commands around the sandbox; its code can read them."""
    return {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"}


def sandbox(command, seconds):
    """Return the command that runs another one in a sandbox, with a limit for each cell.

    Inside there are Python, the package of the book and a small ``/tmp`` in memory; no network, no
    other files and processes, no rights, nothing on the disk to write to. Root would keep the
    rights of root towards the limits, so for root the code runs as another user.
    """
    root, package = os.geteuid() == 0, find_spec(PACKAGE)  # without importing it
    shown = [*OF_THE_SYSTEM.split(), sys.base_prefix, sys.prefix]
    shown += package.submodule_search_locations if package else []
    argv = ["bwrap", *ISOLATED.split(), *(AS_ROOT if root else UNPRIVILEGED).split()]
    for path in ("/tmp", "/dev/shm"):
        argv += ["--perms", "1777", "--size", str(FILES), "--tmpfs", path]
    for folder in sorted({str(folder) for path in shown for folder in Path(path).parents}):
        argv += ["--perms", "0755", "--dir", folder]  # another user than root may enter it
    for path in shown:
        argv += ["--ro-bind-try", path, path]
    argv += ["--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]
    for variable in (f"PATH={sys.prefix}/bin:/usr/bin:/bin", *VARIABLES.split()):
        argv += ["--setenv", *variable.split("=", 1)]
    argv += ANOTHER_USER.split() if root else []
    ceilings = {"as": 2 * MEMORY, "data": MEMORY, "cpu": int(CELLS * seconds) + 30}
    ceilings |= {"core": 0, "fsize": FILES, "nproc": PROCESSES, "nofile": 256}
    return [*argv, "prlimit", *(f"--{k}={v}:{v}" for k, v in ceilings.items()), *command]


def check_sandbox():
    """Return None if Python starts in the sandbox here, and otherwise the reason why not."""
    if sys.platform != "linux":
        return "it needs Linux"
    if missing := [name for name in ("bwrap", "prlimit", "setpriv") if not shutil.which(name)]:
        return f"{' and '.join(missing)} not found"
    command = sandbox([sys.executable, "-c", "import IPython"], SECONDS)
    tried = subprocess.run(command, capture_output=True, env=environment())
    failed = tried.stderr.decode(errors="replace").strip() or "bubblewrap fails"
    return failed if tried.returncode else None
