"""Marks by hand: nbgrader's pages for them, in the browser."""

import os
import secrets
import socket
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress
from urllib.parse import quote

from .course import Refused, nbgraders_variables
from .repository import shown


def mark_by_hand(name, folder, open_browser=True):
    """Open nbgrader's pages for marks by hand, until they are closed with Ctrl-C."""
    work = (folder / "nbgrader").absolute()
    if not (work / "gradebook.db").exists():
        raise Refused(
            f"There is nothing to mark in {shown(work.parent)} yet: run make grade first."
        )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port, token = free.getsockname()[1], secrets.token_hex(16)
    settings = {
        "ServerApp.root_dir": work,
        "ServerApp.port": port,
        "ServerApp.allow_root": True,
        "ServerApp.jpserver_extensions": "nbgrader.server_extensions.formgrader=True",
        "ServerApp.open_browser": False,
        "ServerApp.terminals_enabled": False,
        "CourseDirectory.root": work,
        "HTMLExporter.filters": "markdown2html=classroom.marking.markdown_to_html",
    }
    variables = os.environ | nbgraders_variables() | {"JUPYTER_TOKEN": token}
    command = [sys.executable, "-m", "jupyter_server"]
    command += [f"--{option}={value}" for option, value in settings.items()]
    page = quote(f"/formgrader/gradebook/{name}/{name}", safe="")
    # its own pages keep no token: enter through the door
    address = f"http://127.0.0.1:{port}/login?token={token}&next={page}"
    print(f"Enter the marks here: {address}\nEnd with Ctrl-C.", flush=True)
    with open(work / "hand-marks.log", "w") as log:
        server = subprocess.Popen(command, env=variables, stderr=log, start_new_session=True)
    try:
        wait_for(port)
        if open_browser:
            webbrowser.open(address)
        server.wait()
    except KeyboardInterrupt:
        print("\nThe marks are kept. Now repeat the command that marks: make grade …")
    finally:
        server.terminate()


def wait_for(port):
    """Wait until a server answers at a port of this machine, at most a minute."""
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
