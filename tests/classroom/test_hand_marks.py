"""The pages for marks by hand: what they show, what they take, and that they do nothing else."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from urllib.parse import urlencode, urlsplit

import pytest

from tests.classroom.submissions import (
    COMMAND,
    NAME,
    ROOT,
    cell,
    filled,
    needs_marking,
    packed,
    program,
    run,
    table,
    write,
)

pytestmark = needs_marking

FOREIGN = [  # of nbgrader and of Jupyter: they execute, generate, release, collect, or read files
    *("/formgrader", "/formgrader/api/submission/temperature/Ada/autograde", "/formgrader/manage"),
    *("/formgrader/api/assignment/temperature/assign", "/formgrader/api/assignments", "/api"),
    *("/formgrader/api/assignment/temperature/collect", "/api/kernels", "/api/sessions"),
    *("/formgrader/api/assignment/temperature/release", "/api/terminals", "/api/contents"),
    *("/lab", "/tree", "/notebooks/x.ipynb", "/nbconvert/html/x.ipynb", "/files/by-hand.json"),
    *("/static/x.js", "/metrics", "/login", "/shutdown", "/mark/", "//mark/", "/../mark"),
    *("/mark.html", "/static/", "/console"),
    *("/by-hand.json", "/marked/Ada.json", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/options.json", "*"),
]


@pytest.fixture(scope="module")
def marks(tmp_path_factory, released):
    """A class of three whose answers to question 3 wait, one of them beside its cell."""
    folder = tmp_path_factory.mktemp("by-hand")
    ada = filled(released, q3="![](attachment:a.png) The sum is $0$, so\n$$0/0$$\nis nan.")
    cell(ada, "q3")["attachments"] = {"a.png": {"image/png": "iVBORw0KGgo="}}
    beside = filled(released, q3=None)
    beside["cells"].insert(-1, {"cell_type": "raw", "metadata": {}, "source": "It is <b>nan</b>."})
    write(
        folder / "in",
        {
            "Ada/hw.ipynb": packed(ada),
            "Bob <i>/hw.ipynb": packed(beside),
            "Cem/hw.ipynb": packed(filled(released, q3=None)),
            "Dan/hw.ipynb": packed(filled(released, q3="| a |\n|-|\n| 1 |" + "\n| 2 |" * 5000)),
        },
    )
    result = run("grade", NAME, folder / "in", "--to", folder / "marks", "--seconds", 5)
    assert result.returncode == 0, result.stderr
    return folder / "marks"


class Browser:
    """Speaks to the server as a browser does."""

    def __init__(self, address):
        self.address = urlsplit(address)
        self.cookie = ""

    def __call__(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.address.netloc, timeout=20)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        headers = form | {"Cookie": self.cookie} | headers
        connection.request(method, path, body and urlencode(body), headers)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()

    def enter(self):
        status, headers, _ = self("GET", f"{self.address.path}?{self.address.query}")
        assert status in {302, 303} and headers["Location"] == "/next"
        self.cookie = headers["Set-Cookie"].partition(";")[0]
        assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Strict" in headers["Set-Cookie"]


def serve(marks, **options):
    command = [*COMMAND, "hand-marks", NAME, "--to", str(marks)]
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True, "cwd": ROOT}
    given["env"] = os.environ | {"BROWSER": "true"}  # which shows nothing
    server = subprocess.Popen(command, **given | options)
    address = server.stdout.readline().rpartition(" ")[2].strip()
    return server, Browser(address)


@pytest.fixture(scope="module")
def server(marks):
    """The browser, which has the token; the address is printed when the server answers."""
    server, browser = serve(marks)
    browser.enter()
    yield browser
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=30)
    assert server.returncode == 0


@pytest.fixture
def served(server, marks):
    """The same, with no mark by hand yet."""
    if (marks / "by-hand.json").exists():
        for student in json.loads((marks / "by-hand.json").read_text()):
            server("POST", f"/mark?student={student}&question=q3", {"points": "", "comment": ""})
        (marks / "by-hand.json").unlink()
    return server


def test_it_opens_at_the_first_answer_with_the_guide_beside_it(served):
    status, headers, _ = served("GET", "/next")
    assert status == 303 and headers["Location"] == "/mark?student=Ada&question=q3"
    status, headers, page = served("GET", headers["Location"])
    assert status == 200 and "<h1>Ada: question 3</h1>" in page and "3 of 3 answers wait" in page
    assert "The sum is" in page and "<math" in page
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="">' in page
    assert 'display="block"' in page and "$" not in page, "a formula amid a paragraph as well"
    assert "Model answer and marking guide" in page and "all or" not in page.partition("<aside")[0]
    assert "<strong>Marks</strong>" in page, "the guide is text, not Markdown"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_an_answer_beside_its_cell_is_shown_and_a_blank_one_is_not_asked_for(served):
    _, _, page = served("GET", "/")
    assert re.findall(r'student=([^&"]+)&', page.replace("&amp;", "&"))[1:2] != ["Cem"]
    assert "Cem" not in page and "Bob &lt;i&gt;" in page and 'href="/next"' in page
    [link] = re.findall(r'href="(/mark\?student=Bob[^"]*)"', page)
    _, _, page = served("GET", link.replace("&amp;", "&"))
    assert "It is &lt;b&gt;nan&lt;/b&gt;." in page and "Bob &lt;i&gt;" in page


def test_a_mark_is_kept_and_the_next_answer_comes(served, marks):
    path = "/mark?student=Ada&question=q3"
    for wrong in ("4", "-1", "x", "nan", "inf", "1e9"):
        status, _, page = served("POST", path, {"points": wrong, "comment": "<c>"})
        assert status == 200 and "Give a number from 0 to 3." in page and "&lt;c&gt;" in page
    assert not (marks / "by-hand.json").exists()
    status, headers, _ = served("POST", path, {"points": "2,5", "comment": "Well <done>"})
    assert status == 303 and "student=Bob" in headers["Location"]
    kept = json.loads((marks / "by-hand.json").read_text())["Ada"]["q3"]
    assert (kept["points"], kept["comment"]) == (2.5, "Well <done>")
    _, _, page = served("GET", path)
    assert 'value="2.5"' in page and "Well &lt;done&gt;" in page and "2 of 3 answers wait" in page
    served("POST", path, {"points": "", "comment": ""})
    assert "3 of 3 answers wait" in served("GET", path)[2]


def test_every_route_that_the_server_knows_shows_or_takes_marks(marks):
    routes = set(json.loads(program("routes", marks).stdout))
    assert routes == {"GET /", "GET /next", "GET /mark", "POST /mark"}


@pytest.mark.parametrize("path", FOREIGN)
def test_what_could_execute_generate_release_or_collect_is_not_found(served, path):
    for method in ("GET", "POST"):
        assert served(method, path)[0] == 404, method


@pytest.mark.parametrize("path", ["/", "/next", "/mark?student=Ada&question=q3", "/formgrader"])
def test_nothing_but_reading_and_sending_a_form_is_allowed(served, path):
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "X"):
        assert served(method, path)[0] in {404, 405}, method


@pytest.mark.parametrize(
    "query",
    ["", "?student=Ada", "?question=q3", "?student=../Ada&question=q3", "?student=Ada&question=q1"],
)
def test_an_answer_that_there_is_not_is_not_found(served, query):
    assert served("GET", f"/mark{query}")[0] == 404
    assert served("POST", f"/mark{query}", {"points": "1"})[0] == 404


def test_without_the_token_or_from_another_page_nothing_is_shown_or_taken(served, marks):
    stranger = Browser(served.address.geturl())
    for path in ("/", "/next", "/mark?student=Ada&question=q3", "/?token=x", "/?token="):
        assert stranger("GET", path)[0] == 403
        assert stranger("POST", path, {"points": "3"})[0] == 403
    assert served("GET", "/", Host="evil.example")[0] == 400
    assert not (marks / "by-hand.json").exists()


def test_a_form_that_is_too_long_or_lies_about_its_length_is_refused(served):
    path = "/mark?student=Ada&question=q3"
    served("POST", path, {"points": "2", "comment": ""})
    assert served("POST", path, {"points": "3", "comment": "x" * 200_000})[0] == 413
    for length in ("-1", "x", "1e3"):
        assert served("POST", path, **{"Content-Length": length})[0] in {400, 404}
    assert served("POST", path, {"points": "3"})[0] == 400
    assert 'value="2.0"' in served("GET", path)[2], "no mark has changed"


def test_a_huge_table_does_not_hold_up_who_reads_another_answer(served):
    start = time.monotonic()
    assert served("GET", "/mark?student=Dan&question=q3")[0] == 200
    assert served("GET", "/mark?student=Ada&question=q3")[0] == 200
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_closing_the_terminal_ends_it_and_the_marks_are_in_the_table(how, marks, tmp_path):
    marks = shutil.copytree(marks, tmp_path / "marks")
    server, browser = serve(marks, start_new_session=True)
    with server:
        browser.enter()
        browser("POST", "/mark?student=Ada&question=q3", {"points": "3", "comment": "Good."})
        late = json.loads((marks / "marked/Cem.json").read_text())
        late |= {"key": "Zed", "student": "Zed"}
        (marks / "marked/Zed.json").write_text(json.dumps(late))  # by make grade, meanwhile
        server.stdout.close()  # as a terminal that is gone
        os.killpg(server.pid, how)
        server.wait(timeout=30)
    row = table(marks / "marks.csv")["Ada"]
    assert (row["q3 (3)"], row["total (10)"]) == ("3", "10")
    assert "Zed" in table(marks / "marks.csv")
    assert "Good." in (marks / "feedback/Ada.html").read_text(encoding="utf-8")
    with pytest.raises(OSError):
        browser("GET", "/")
