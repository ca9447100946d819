"""Do the same with many things, several at a time, each in a process of its own with its limits.

What the process reads is other people's: it may take too long, need too much memory or end.
"""

import functools
import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock

from .course import Failed
from .sandbox import Limits, live_with_parent

# a child that inherits all imports starts at once, and how to read each file needs no pickling
PROCESSES = multiprocessing.get_context("fork" if hasattr(os, "fork") else None)
MEMORY = 700 * 2**20  # bytes that one process may add to those of the program
STARTING = Lock()  # else a process holds the pipe of another one open


def how_many():
    """Return how many processes run at a time: one for each core, if there is memory for all."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with suppress(ValueError, AttributeError, OSError):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return max(1, min(cores, memory // (Limits.memory + MEMORY)))
    return cores


def side_by_side(work, items, seconds):
    """Yield, in the order of the items, what `work` returns for each, or a Failed that says why."""
    threads = ThreadPoolExecutor(how_many())  # each waits for a process
    try:
        yield from threads.map(functools.partial(_wait, work, seconds), items)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.kill()
        threads.shutdown()


def _wait(work, seconds, item):
    with STARTING:
        receive, send = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(target=_do, args=(work, item, send, os.getpid()))
        process.start()
        send.close()
    try:
        late = not receive.poll(seconds)
        return Failed(f"This took more than {seconds:g} s.") if late else receive.recv()
    except EOFError:
        return Failed("Its process ended.")
    finally:
        process.kill()
        process.join()


def _do(work, item, send, parent):
    live_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends this process
    bound_memory()
    try:
        send.send(work(item))
    except Exception as error:
        send.send(error if isinstance(error, Failed) else Failed(f"The program failed: {error!r}."))


def bound_memory():
    """Let this process have no more than so much memory besides what it has."""
    with suppress(ImportError, OSError, ValueError, StopIteration):
        import resource

        lines = Path("/proc/self/status").read_text().splitlines()
        has = next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) * 1024
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (has + MEMORY, hard))
