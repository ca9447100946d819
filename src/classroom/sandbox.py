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
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "stable_softmax"  # what answers may import besides the environment
OTHER_USER = 61234  # nobody's number: what the code runs as when a teacher is root


@dataclass(frozen=True)
class Limits:
    """What the code of one student may use.

    Parameters
    ----------
    cell : float
        Seconds for a cell or one call of a function; a notebook may take twelve times that.
    memory, files : int
        Bytes in memory, and of files (which are in memory as well), of all processes together.
    processes : int
        Processes and threads.
    """

    cell: float = 10
    memory: int = 2 * 2**30
    files: int = 64 * 2**20
    processes: int = 64

    @property
    def notebook(self):
        """Seconds for all of a notebook."""
        return 12 * self.cell


def live_with_parent(parent=None):
    """End this process when its parent ends, and drop the keys that its session keeps for it."""
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(1, signal.SIGKILL)
        if parent and os.getppid() != parent:  # it has ended already
            os._exit(1)
        join_session_keyring = {"x86_64": 250, "aarch64": 219}.get(platform.machine())
        if join_session_keyring:
            system.syscall(join_session_keyring, 1, None)


def memory_group(memory):
    """Return a new control group that may use so many bytes, or None where none can be made.

    Only the system can bound all memory of several processes together, of whatever kind: files,
    pipes and what they share as well.
    """
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, kinds, own = line.split(":", 2)
        if kinds not in {"", "memory"}:
            continue
        root, limit = Path("/sys/fs/cgroup", kinds), "memory.max"
        above = Path(f"{root}{own}") if Path(f"{root}{own}").is_dir() else root
        folder = above / f"classroom-{os.getpid()}-{os.urandom(4).hex()}"
        with suppress(OSError):
            folder.mkdir()
            try:
                (folder / ("memory.limit_in_bytes" if kinds else limit)).write_text(f"{memory}")
                return folder
            except OSError:  # there is no such controller here
                folder.rmdir()
    return None


@functools.cache
def memory_scope(memory):
    """Return the command that runs another one within so many bytes, or None: systemd's."""
    scope = ["systemd-run", "--scope", "--quiet", "--collect", f"--property=MemoryMax={memory}"]
    scope += ["--property=MemorySwapMax=0", *([] if os.geteuid() == 0 else ["--user"]), "--"]
    with suppress(OSError):
        tried = subprocess.run([*scope, "true"], capture_output=True, env=environment())
        return None if tried.returncode else scope
    return None


def environment():
    """Return the variables of the commands around the sandbox; its code can read them."""
    return {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"}


def package_folders():
    """Return where the package for students is, and nothing that is beside it."""
    package = find_spec(PACKAGE)  # without importing it
    return list(package.submodule_search_locations) if package else []


def sandbox(command, limits):
    """Return the command that runs another one in a sandbox.

    Inside there are Python, the package of the book and a small ``/tmp`` in memory; no network, no
    other files and processes, no rights, nothing on the disk to write to. For root, who would keep
    the rights of root towards the limits, the code runs as another user.

    Parameters
    ----------
    command : list of str
    limits : Limits

    Returns
    -------
    list of str
    """
    root = os.geteuid() == 0
    shown = ["/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/localtime", "/etc/ld.so.cache"]
    shown += [sys.base_prefix, sys.prefix, *package_folders()]
    variables = {
        "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",  # the same notebook, the same marks
        "PYTHONDONTWRITEBYTECODE": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    argv = ["bwrap", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    argv += ["--unshare-net", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    argv += ["--unshare-cgroup-try"]
    if root:  # no user namespace here, in which nobody could become another user
        argv += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        argv += ["--unshare-user", "--disable-userns"]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):
        argv += ["--perms", "1777", "--size", str(limits.files), "--tmpfs", path]
    parents = {str(parent) for path in shown for parent in Path(path).parents}
    for path in sorted(parents):  # another user than root may enter them
        argv += ["--perms", "0755", "--dir", path]
    for path in shown:
        argv += ["--ro-bind-try", path, path]
    argv += ["--chdir", "/tmp", "--remount-ro", "/dev", "--remount-ro", "/"]
    for name, value in variables.items():
        argv += ["--setenv", name, value]
    if root:  # become the other user, and then take user namespaces from it as well
        user = f"{OTHER_USER}"
        argv += ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        argv += ["--inh-caps=-all", "bwrap", "--unshare-user", "--disable-userns"]
        argv += ["--die-with-parent", "--dev-bind", "/", "/"]
    ceilings = {"as": 2 * limits.memory, "cpu": int(limits.notebook) + 30, "core": 0}
    ceilings |= {"fsize": limits.files, "nproc": limits.processes, "nofile": 256}
    ceilings["data"] = limits.memory
    return [*argv, "prlimit", *(f"--{k}={v}:{v}" for k, v in ceilings.items()), *command]


def check_command():
    """Return None if the command of the sandbox works here, and otherwise the reason why not."""
    if sys.platform != "linux":
        return "it needs Linux"
    missing = [name for name in ("bwrap", "prlimit", "setpriv") if not shutil.which(name)]
    if missing:
        return f"{' and '.join(missing)} not found"
    tried = subprocess.run(sandbox(["true"], Limits()), capture_output=True)
    if tried.returncode:
        return tried.stderr.decode(errors="replace").strip() or "bubblewrap fails"
    return None
