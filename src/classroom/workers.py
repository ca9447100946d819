"""Do the same with many things, each in a process that may take too long, end, or need memory."""

import functools
import multiprocessing
import os
import resource
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

import psutil

from . import sandbox
from .course import Failed

# a child that inherits all imports starts at once, and how to read each file needs no pickling
PROCESSES = multiprocessing.get_context("fork")
MEMORY = 700 * 2**20  # bytes that one process may add to those of the program
STARTING = Lock()  # else a process holds the pipe of another one open


def side_by_side(work, items, seconds):
    """Yield, in the order of the items, what `work` returns for each, or a Failed that says why."""
    fit = psutil.virtual_memory().total // (sandbox.MEMORY + MEMORY)
    threads = ThreadPoolExecutor(max(1, min(os.cpu_count(), fit)))  # each waits for a process
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
    sandbox.live_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends this process
    with suppress(AttributeError):  # not on every system
        most = psutil.Process().memory_info().data + MEMORY
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]  # that of the sandbox is another one
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        send.send(work(item))
    except Exception as error:
        send.send(error if isinstance(error, Failed) else Failed(f"The program failed: {error!r}."))
