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
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from threading import Lock
from urllib.parse import parse_qs, quote, urlsplit

from .course import Course, Refused
from .kept import Kept
from .page import Writer, page
from .repository import MARKS, shown

LONGEST = 100_000  # bytes of what a form sends
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'"
FORM = """<style>body {{ max-width: 80em }} .two {{ display: grid; gap: 2em;
grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr)) }} form {{ padding: 1em;
border: 1px solid #8888 }} textarea {{ width: 100%; box-sizing: border-box }} .two > * {{
min-width: 0 }}</style>
<p><a href="/">All students</a> · {left}</p>
<h1>{student}: question {question}</h1>
<div class="two"><main>{answer}
<form method="post" action="/mark?{address}">
<p><label>Points, of {most}: <input name="points" value="{points}" size="5" autofocus
inputmode="decimal" autocomplete="off"></label> {error}</p>
<p><label>Comment for the student:<br><textarea name="comment" rows="4">{comment}</textarea></label>
</p><p><button>Save, and show the next</button></p></form></main>
<aside><h2>Model answer and marking guide</h2>{guide}
<details><summary>The question</summary>{text}</details></aside></div>"""


class Pages:
    """What the server shows, as functions of the query: status, address to go to, page."""

    def __init__(self, kept):
        self.kept, self.lock = kept, Lock()
        self.routes = {
            ("GET", "/"): self.all,
            ("GET", "/next"): self.next,
            ("GET", "/mark"): self.show,
            ("POST", "/mark"): self.save,
        }

    def answers(self):
        """Return each answer that is marked by hand, with its row and its question."""
        questions = self.kept.course.by_hand()
        return [
            (row, question)
            for question in questions
            for row in self.kept.rows()
            if question in row.record.get("written", {})
        ]

    def all(self, query):
        """Return the list of all answers."""
        lines = []
        for row, question in self.answers():
            mark = row.marks[question]
            state = "<b>waits</b>" if mark is None else f"{mark:g}"
            link = f'<a href="/mark?{address(row, question)}">{html.escape(row.student)}</a>'
            lines.append(
                f"<tr><td>{link}</td><td>{html.escape(question)}</td><td>{state}</td></tr>"
            )
        body = f"<h1>{html.escape(self.kept.course.name)}: marks by hand</h1><p>{self.left()}</p>"
        if any(question in row.waiting for row, question in self.answers()):
            body += '<p><a href="/next">Go on with the first that waits</a></p>'
        body += f"<table>{''.join(lines)}</table>"
        return HTTPStatus.OK, "", page("Marks by hand", body)

    def left(self):
        """Return what is left to do."""
        answers = self.answers()
        waiting = sum(question in row.waiting for row, question in answers)
        return f"{waiting} of {len(answers)} answers wait" if waiting else "Nothing waits."

    def next(self, query):
        """Go to the first answer that waits, or to the list."""
        for row, question in self.answers():
            if question in row.waiting:
                return HTTPStatus.SEE_OTHER, f"/mark?{address(row, question)}", ""
        return HTTPStatus.SEE_OTHER, "/", ""

    def show(self, query, error="", given=None):
        """Return the page of an answer."""
        for row, question in self.answers():
            if (row.key, question) == (query.get("student"), query.get("question")):
                break
        else:
            return HTTPStatus.NOT_FOUND, "", ""
        course = self.kept.course
        guide, writer = course.by_hand()[question], Writer()
        hand = self.kept.by_hand.get(row.key, {}).get(question, {})
        given = given or {"points": hand.get("points"), "comment": hand.get("comment", "")}
        points = "" if given["points"] is None else f"{given['points']}"
        body = FORM.format(
            left=self.left(),
            student=html.escape(row.student),
            question=html.escape(question.removeprefix("q")),
            answer=row.record["written"][question]["html"],
            address=html.escape(address(row, question)),
            most=f"{course.questions()[question]:g}",
            points=html.escape(points),
            error=html.escape(error),
            comment=html.escape(given["comment"]),
            guide=writer.markdown(guide.source),
            text=writer.markdown(course.text_of(question)),
        )
        return HTTPStatus.OK, "", page(f"{row.student}, {question}", body)

    def save(self, query, form):
        """Keep a mark, and go to the next answer."""
        status, where, body = self.show(query)
        if status != HTTPStatus.OK:
            return status, where, body
        key, question = query["student"], query["question"]
        most, text = self.kept.course.questions()[question], form.get("points", "").strip()
        try:
            points = float(text.replace(",", ".")) if text else None
            if points is not None and not 0 <= points <= most:
                raise ValueError
        except ValueError:
            return self.show(query, f"Give a number from 0 to {most:g}.", form | {"points": text})
        self.kept.mark_by_hand(key, question, points, form.get("comment", "").strip())
        return self.next(query)


def address(row, question):
    """Return the query that names an answer."""
    return f"student={quote(row.key)}&question={quote(question)}"


class Server(ThreadingMixIn, HTTPServer):
    """Serves the pages to whom has the token, at a port of this machine."""

    daemon_threads = True

    def __init__(self, pages):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.token = pages, secrets.token_hex(16)
        self.host = f"127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    timeout = 30  # seconds of a connection on which nothing comes

    def do_GET(self):
        """Answer with a page."""
        self._answer()

    def do_POST(self):
        """Take a mark."""
        self._answer()

    def _answer(self):
        parts, server = urlsplit(self.path), self.server
        query = first_of(parts.query)
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("token")
        given = query.get("token") or (cookie.value if cookie else "")
        if self.headers.get("Host") != server.host or not hmac.compare_digest(
            given.encode(), server.token.encode()
        ):
            return self._send(HTTPStatus.FORBIDDEN, "", "")
        if "token" in query:  # from here on it is in a cookie, and in no address
            cookie = f"token={server.token}; HttpOnly; SameSite=Strict; Path=/"
            return self._send(HTTPStatus.SEE_OTHER, "/next", "", cookie)
        route = server.pages.routes.get((self.command, parts.path))
        length = int(self.headers.get("Content-Length") or 0)
        if not route or not 0 <= length <= LONGEST:
            return self._send(HTTPStatus.NOT_FOUND, "", "")
        form = [first_of(self.rfile.read(length).decode(errors="replace"))]
        with server.pages.lock:
            answer = route(query, *(form if self.command == "POST" else []))
        self._send(*answer)

    def _send(self, status, where, body, cookie=None):
        content = (body or page(status.phrase, f"<h1>{status.phrase}</h1>")).encode()
        self.send_response(status)
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": len(content)}
        headers |= {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
        headers |= {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
        headers |= {"Location": where} if where else {}
        headers |= {"Set-Cookie": cookie} if cookie else {}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


def first_of(text):
    """Return the fields of a form or a query, each once."""
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def mark_by_hand(path, folder=None, open_browser=True):
    """Show the answers that are marked by hand, until Ctrl-C or until the terminal is closed."""
    folder = folder or MARKS / path.stem
    kept = Kept(Course(path), folder)
    if not kept.records:
        raise Refused(f"There is nothing to mark in {shown(folder)} yet: run make grade first.")
    server = Server(Pages(kept))  # from here on, who asks is answered
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
