"""Marks by hand, in the browser: a server that runs nothing, and reads no path of a request."""

import hmac
import logging
import secrets
import signal
import webbrowser
from contextlib import suppress
from threading import Lock
from urllib.parse import urlencode

from flask import Flask, abort, redirect, request, session
from markupsafe import Markup
from werkzeug.serving import make_server

from .course import Refused
from .kept import Kept
from .page import PAGE, Writer
from .repository import shown

LONGEST = 100_000  # bytes of what a form sends
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'self'; frame-ancestors 'none'",
    **{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"},
}
FORM = Markup("""<style>body {{ max-width: 80em }} .two {{ display: grid; gap: 2em;
grid-template-columns: repeat(auto-fit, minmax(min(24em, 100%), 1fr)) }} form {{ padding: 1em;
border: 1px solid #8888 }} textarea {{ width: 100%; box-sizing: border-box }} .two > * {{
min-width: 0 }}</style>
<p><a href="/">All students</a> · {left}</p><h1>{student}: question {number}</h1>
<div class="two"><main>{answer}
<form method="post"><p><label>Points, of {most:g}: <input name="points" value="{points}" size="5"
autofocus inputmode="decimal" autocomplete="off"></label> {error}</p>
<p><label>Comment for the student:<br><textarea name="comment" rows="4">{comment}</textarea></label>
</p><p><button>Save, and show the next</button></p></form></main>
<aside><h2>Model answer and marking guide</h2>{guide}
<details><summary>The question</summary>{text}</details></aside></div>""")
LIST = Markup("<h1>{}: marks by hand</h1><p>{}</p><table>{}</table>")
LEFT = Markup('{} of {} answers wait: <a href="/next">go on with the first</a>')
LINE = Markup('<tr><td><a href="{}">{}</a></td><td>{}</td><td>{}</td></tr>')


def pages(kept, token):
    """Return the pages, for those who have come with the token once."""
    app, lock = Flask(__name__, static_folder=None), Lock()
    app.config |= {"MAX_CONTENT_LENGTH": LONGEST, "SECRET_KEY": secrets.token_hex()}
    app.config |= {"SESSION_COOKIE_SAMESITE": "Strict", "TRUSTED_HOSTS": ["127.0.0.1"]}
    app.config["SESSION_COOKIE_NAME"] = secrets.token_hex(4)  # another class may be open as well
    questions, points = kept.course.by_hand(), kept.course.questions()
    # the teacher's own text, in what takes the time of nobody else
    texts = {q: list(map(Writer().markdown, both)) for q, both in questions.items()}

    def answers():
        found = [(r, q) for q in questions for r in kept.rows() if q in r.record.get("written", {})]
        return {"/mark?" + urlencode({"student": r.key, "question": q}): (r, q) for r, q in found}

    def waiting():
        return [where for where, (row, question) in answers().items() if question in row.waiting]

    def left():
        wait = len(waiting())
        return LEFT.format(wait, len(answers())) if wait else "Nothing waits."

    @app.before_request
    def let_in():
        """Let a stranger see nothing; the token is in no address any more, but in a cookie."""
        if hmac.compare_digest(request.args.get("token", "").encode(), token.encode()):
            session["known"] = True
            return redirect("/next")
        return None if session.get("known") else abort(403)

    @app.after_request
    def protect(response):
        response.headers.update(HEADERS)
        return response

    @app.get("/", provide_automatic_options=False)
    def everything():
        lines = []
        for where, (row, question) in answers().items():
            mark = row.marks[question]
            state = Markup("<b>waits</b>") if mark is None else f"{mark:g}"
            lines.append(LINE.format(where, row.student, question, state))
        body = LIST.format(kept.course.name, left(), Markup().join(lines))
        return PAGE.format(title="Marks by hand", body=body)

    @app.get("/next", provide_automatic_options=False)
    def following():
        return redirect([*waiting(), "/"][0], 303)

    @app.route("/mark", methods=["GET", "POST"], provide_automatic_options=False)
    def mark():
        where = "/mark?" + urlencode({n: request.args.get(n, "") for n in ("student", "question")})
        with lock:
            row, question = answers().get(where) or abort(404)
            most, error = points[question], ""
            given = kept.by_hand.get(row.key, {}).get(question, {"points": "", "comment": ""})
            if request.method == "POST":
                given = {name: request.form[name].strip() for name in ("points", "comment")}
                with suppress(ValueError):
                    number = given["points"] and float(given["points"].replace(",", "."))
                    if number == "" or 0 <= number <= most:
                        kept.mark_by_hand(row.key, question, number, given["comment"])
                        return following()
                error = f"Give a number from 0 to {most:g}."
        answer, (text, guide) = Markup(row.record["written"][question]["html"]), texts[question]
        shows = {"student": row.student, "number": question.removeprefix("q"), "answer": answer}
        shows |= {"most": most, "error": error, "left": left(), "text": text, "guide": guide}
        return PAGE.format(title=f"{row.student}, {question}", body=FORM.format(**shows, **given))

    return app


def mark_by_hand(course, folder):
    """Show the answers that are marked by hand, until Ctrl-C or until the terminal is closed."""
    kept, token = Kept(course, folder), secrets.token_hex(16)
    if not kept.records:
        raise Refused(f"There is nothing to mark in {shown(folder)} yet: run make grade first.")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, pages(kept, token), threaded=True)  # listens now
    for ending in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    where = f"http://127.0.0.1:{server.port}/?token={token}"
    print(f"Enter the marks here: {where}\nEnd with Ctrl-C.", flush=True)
    with suppress(KeyboardInterrupt):
        webbrowser.open(where)
        server.serve_forever()
    Kept(course, folder).write()  # with those who were marked meanwhile
    with suppress(OSError):  # the terminal may be gone
        print(f"\nThe marks are in {shown(folder / 'marks.csv')} and in the pages.", flush=True)
