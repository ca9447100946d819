"""Execute pages ahead of their reading, as many at once as there are cores.

MyST-NB executes a page when Sphinx reads it, one page after the other. Here the pages that are not
in the execution cache are executed in the background, those with most code first. Sphinx reads all
others meanwhile, then these, in the same order: where MyST-NB would execute one, it gets what is
there or waits for it. What it reports, raises and caches is as ever. One core executes nothing
ahead.
"""

import asyncio
import contextlib
import logging
import os
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_core.utils import ensure_event_loop
from myst_nb.core.execute import NotebookClientCache, cache, create_client
from myst_nb.core.read import create_nb_reader

MOST = 4  # at once: a page with PyTorch takes half a gigabyte of memory

execute = cache.single_nb_execution
ahead = {}  # what is executed in the background: futures
waiting = deque()  # what of it has not begun
workers, loops = [], {}  # threads, and the event loop of each


def cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def key_of(notebook, folder):
    """Return what tells the execution of a notebook from any other: its folder and its code."""
    code = get_cache("").create_hashed_notebook(notebook)[1]  # touches no folder
    return os.path.abspath(folder), code


def execute_once(notebook, cwd, **options):
    """Execute a notebook in place, or fill it with the outputs that it got in the background."""
    future = ahead.pop(key_of(notebook, cwd), None)
    if future is None:
        return execute(notebook, cwd=cwd, **options)
    try:
        result = future.result()
    except BaseException:  # as Ctrl-C
        end()
        raise
    notebook.update(result.nb)
    return result


def to_execute(env, page):
    """Return the notebook of a page if MyST-NB will execute it, else None."""
    path, config = Path(env.doc2path(page)), env.mystnb_config
    try:
        text = path.read_text(encoding="utf-8")
        reader = create_nb_reader(str(path), env.myst_config, config, text)
        notebook = reader and reader.read(text)
    except Exception:
        return None  # Sphinx will report it when it reads the page
    if not notebook or config.execution_in_temp or config.metadata_key in notebook.metadata:
        return None  # nothing to execute, or in a way of its own
    client = create_client(notebook, str(path), config, logging.getLogger(__name__))
    if not isinstance(client, NotebookClientCache):
        return None
    try:
        get_cache(config.execution_cache_path).match_cache_notebook(notebook)
    except KeyError:
        return notebook
    return None


def length(notebook):
    """Return how much code a notebook has."""
    return sum(len(cell.source) for cell in notebook.cells if cell.cell_type == "code")


def begin(app, env, pages):
    """Begin to execute pages in the background, and put them in the same order for Sphinx."""
    ahead.clear()
    if cores() == 1:
        return
    found = {page: notebook for page in pages if (notebook := to_execute(env, page))}
    pages.sort(key=lambda page: (page in found, -length(found[page]) if page in found else 0))
    config = env.mystnb_config
    options = {"allow_errors": config.execution_allow_errors, "timeout": config.execution_timeout}
    options["shutdown_kernel"] = "immediate"  # a kernel that is asked kindly takes its time
    for page in filter(found.get, pages):
        key = key_of(found[page], Path(env.doc2path(page)).parent)
        if key not in ahead:
            ahead[key] = Future()
            waiting.append((ahead[key], found[page], {"cwd": key[0]} | options))
    for _ in range(min(cores(), MOST, len(waiting))):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        workers.append(thread)


def work():
    """Execute what is waiting, one after the other."""
    loops[threading.current_thread()] = ensure_event_loop()  # nbclient uses it
    with contextlib.suppress(IndexError):
        while True:
            future, notebook, options = waiting.popleft()
            try:
                future.set_result(execute(notebook, **options))
            except BaseException as error:
                future.set_exception(error)


def end(app=None, exception=None):
    """End what is left when a build has failed: nbclient shuts a kernel down if it is cancelled."""
    waiting.clear()
    for worker in workers:
        if worker in loops and worker.is_alive():
            loops[worker].call_soon_threadsafe(cancel, loops[worker])
    for worker in workers:
        worker.join()
    workers.clear()


def cancel(loop):
    """Cancel what runs in an event loop."""
    for task in asyncio.all_tasks(loop):
        task.cancel()


def setup(app):
    """Register the extension with Sphinx."""
    app.connect("env-before-read-docs", begin)
    app.connect("build-finished", end)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
