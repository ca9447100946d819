"""Marks by hand: a page for each answer, in the browser.

The server shows what marking has kept and takes marks. It runs nothing, and reads no path that
comes in a request.
"""

import hmac
import html
import secrets
import signal
import webbrowser
from contextlib import suppress
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlencode, urlsplit

from .course import Course, Refused
from .kept import Kept
from .page import Writer, page
from .repository import MARKS, shown

LONGEST = 100_000  # bytes of what a form sends
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; frame-ancestors 'none'",
    **{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"},
    "Referrer-Policy": "no-referrer",
}
FORM = """<style>body {{ max-width: 80em }} .two {{ display: grid; gap: 2em;
grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr)) }} form {{ padding: 1em;
border: 1px solid #8888 }} textarea {{ width: 100%; box-sizing: border-box }} .two > * {{
min-width: 0 }}</style>
<p><a href="/">All students</a> · {left}</p><h1>{title}</h1>
<div class="two"><main>{answer}
<form method="post"><p><label>Points, of {most:g}: <input name="points" value="{points}" size="5"
autofocus inputmode="decimal" autocomplete="off"></label> {error}</p>
<p><label>Comment for the student:<br><textarea name="comment" rows="4">{comment}</textarea></label>
</p><p><button>Save, and show the next</button></p></form></main>
<aside><h2>Model answer and marking guide</h2>{guide}
<details><summary>The question</summary>{text}</details></aside></div>"""


class Server(ThreadingHTTPServer):
    """Serves the pages to those who have the token, at a port of this machine."""

    daemon_threads = True

    def __init__(self, kept):
        super().__init__(("127.0.0.1", 0), Handler)
        self.kept, self.lock, self.token = kept, Lock(), secrets.token_hex(16)
        self.host = f"127.0.0.1:{self.server_port}"

    def answers(self):
        """Return each answer that is marked by hand, by its address: row and question."""
        rows, questions = self.kept.rows(), self.kept.course.by_hand()
        found = [(r, q) for q in questions for r in rows if q in r.record.get("written", {})]
        return {"/mark?" + urlencode({"student": r.key, "question": q}): (r, q) for r, q in found}

    def left(self):
        """Return what is left to do."""
        answers = self.answers().values()
        waiting = sum(question in row.waiting for row, question in answers)
        return f"{waiting} of {len(answers)} answers wait" if waiting else "Nothing waits."

    def list(self, *_):
        """Return the list of all answers."""
        lines = [f"<h1>{html.escape(self.kept.course.name)}: marks by hand</h1><p>{self.left()}"]
        lines.append(' <a href="/next">Go on with the first that waits</a></p><table>')
        for address, (row, question) in self.answers().items():
            mark = row.marks[question]
            link = f'<a href="{html.escape(address)}">{html.escape(row.student)}</a>'
            state = "<b>waits</b>" if mark is None else f"{mark:g}"
            lines.append(f"<tr><td>{link}</td><td>{question}</td><td>{state}</td></tr>")
        return HTTPStatus.OK, page("Marks by hand", "".join([*lines, "</table>"]))

    def next(self, *_):
        """Go to the first answer that waits, or to the list."""
        answers = self.answers().items()
        waiting = [address for address, (row, question) in answers if question in row.waiting]
        return HTTPStatus.SEE_OTHER, [*waiting, "/"][0]

    def show(self, address, form=None, error=""):
        """Return the page of an answer."""
        if address not in self.answers():
            return HTTPStatus.NOT_FOUND, ""
        row, question = self.answers()[address]
        course, writer = self.kept.course, Writer()
        text, guide = course.by_hand()[question]
        hand = form or self.kept.by_hand.get(row.key, {}).get(question, {})
        points = hand.get("points")
        title = html.escape(f"{row.student}: question {question.removeprefix('q')}")
        body = FORM.format(
            left=self.left(),
            title=title,
            answer=row.record["written"][question]["html"],
            most=course.questions()[question],
            points="" if points is None else html.escape(f"{points}"),
            error=html.escape(error),
            comment=html.escape(hand.get("comment", "")),
            guide=writer.markdown(guide),
            text=writer.markdown(text),
        )
        return HTTPStatus.OK, page(f"{row.student}, {question}", body)

    def save(self, address, form):
        """Keep a mark, and go to the next answer."""
        if address not in self.answers():
            return HTTPStatus.NOT_FOUND, ""
        row, question = self.answers()[address]
        most, text = self.kept.course.questions()[question], form.get("points", "").strip()
        try:
            points = float(text.replace(",", ".")) if text else None
            if points is not None and not 0 <= points <= most:
                raise ValueError
        except ValueError:
            return self.show(address, form, f"Give a number from 0 to {most:g}.")
        self.kept.mark_by_hand(row.key, question, points, form.get("comment", "").strip())
        return self.next()


ROUTES = {("GET", "/"): Server.list, ("GET", "/next"): Server.next}
ROUTES |= {("GET", "/mark"): Server.show, ("POST", "/mark"): Server.save}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = 30  # seconds of a connection on which nothing comes

    def _answer(self):
        server, query = self.server, _fields(urlsplit(self.path).query)
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("token")
        given = query.get("token") or (cookie.value if cookie else "")
        theirs = not hmac.compare_digest(given.encode(), server.token.encode())
        if theirs or self.headers.get("Host") != server.host:
            return self._send(HTTPStatus.FORBIDDEN, "")
        if "token" in query:  # now it is in a cookie, and in no address
            cookie = f"token={server.token}; HttpOnly; SameSite=Strict; Path=/"
            return self._send(HTTPStatus.SEE_OTHER, "/next", {"Set-Cookie": cookie})
        route = ROUTES.get((self.command, urlsplit(self.path).path))
        length = self.headers.get("Content-Length", "0")
        if not route or not length.isdecimal() or int(length) > LONGEST:
            return self._send(HTTPStatus.NOT_FOUND, "")
        form = _fields(self.rfile.read(int(length)).decode(errors="replace"))
        with server.lock:
            self._send(*route(server, self.path, form if self.command == "POST" else None))

    do_GET = do_POST = _answer

    def _send(self, status, content, headers=None):
        where = {"Location": content} if status == HTTPStatus.SEE_OTHER else {}
        content = (
            page(status.phrase, f"<h1>{status.phrase}</h1>") if where or not content else content
        )
        self.send_response(status)
        headers = HEADERS | {"Content-Length": len(content.encode())} | where | (headers or {})
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_):
        """Say nothing."""


def _fields(text):
    """Return the fields of a form or a query, each once."""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def mark_by_hand(path, folder=None, open_browser=True):
    """Show the answers that are marked by hand, until Ctrl-C or until the terminal is closed."""
    folder = folder or MARKS / path.stem
    kept = Kept(Course(path), folder)
    if not kept.records:
        raise Refused(f"There is nothing to mark in {shown(folder)} yet: run make grade first.")
    server = Server(kept)  # those who ask now are answered
    for name in ("SIGHUP", "SIGTERM"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    where = f"http://{server.host}/?token={server.token}"
    print(f"Enter the marks here: {where}\nEnd with Ctrl-C.", flush=True)
    try:
        if open_browser:
            webbrowser.open(where)
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        kept.write()
    with suppress(OSError):  # the terminal may be gone
        print(f"\nThe marks are in {shown(folder / 'marks.csv')} and in the pages.", flush=True)
