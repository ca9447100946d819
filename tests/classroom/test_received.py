"""What a kernel sends is bounded, and forged messages become plain text or are refused."""

import base64
import json

import nbformat
import pytest
import zmq
from jupyter_client.session import Session
from nbformat import v4

from classroom.received import HEAD, IMAGE, MESSAGE, TEXT, bounded_client, keep, read_answer


def kept(*outputs):
    """Return what is kept of the outputs of a cell."""
    found, size = [], 0
    for output in outputs:
        size = keep(found, output, size)
    return found


def stream(text, name="stdout"):
    return nbformat.from_dict({"output_type": "stream", "name": name, "text": text})


def test_text_is_cut_where_the_limit_is_and_nothing_follows():
    [output] = kept(*(stream("x" * (TEXT // 3)) for _ in range(5)), stream("late"))
    assert output.text == "x" * TEXT + "\n… more was printed"


@pytest.mark.parametrize("name", ['"><script>', "stdout", "", None])
def test_a_stream_has_one_of_two_names(name):
    assert kept(stream("x", name))[0].name == "stdout"
    assert kept(stream("x", "stderr"))[0].name == "stderr"


def test_only_text_and_images_are_kept_of_what_is_displayed():
    bad = "<script>alert(1)</script>"
    kinds = ["text/html", "image/svg+xml", "text/latex", "application/javascript", "image/jpeg"]
    data = {**dict.fromkeys(kinds, bad), "text/plain": "x", "image/png": "iVBORw0KGgo="}
    [output] = kept(v4.new_output("display_data", data=data, metadata={"a": bad}))
    assert output.data == {"text/plain": "x", "image/png": "iVBORw0KGgo="}
    assert output.metadata == {}


@pytest.mark.parametrize("picture", ["A" * (IMAGE + 1), '" onerror="alert(1)', "<svg>", ""])
def test_what_is_too_large_or_no_image_is_dropped(picture):
    [output] = kept(v4.new_output("display_data", data={"text/plain": "x", "image/png": picture}))
    assert output.data == {"text/plain": "x"}


def test_an_error_is_short_text_whatever_it_says():
    lines = ["x" * 10**6] * 100
    forged = {"output_type": "error", "ename": ["<b>"], "evalue": "y" * 10**6, "traceback": lines}
    [output] = kept(nbformat.from_dict(forged))
    assert output.ename == "['<b>']" and len(output.evalue) == 2000
    assert [len(line) for line in output.traceback] == [2000] * 8


def reply(answer):
    """Return a kernel's reply with an answer, an object for JSON or the text as it came."""
    if not isinstance(answer, str):
        answer = base64.b64encode(json.dumps(answer).encode()).decode()
    return {"user_expressions": {"reply": {"data": {"text/plain": f"'{answer}'"}}}}


GOOD = {"arguments": ["tuple", 1], "result": ["list", 2], "warnings": []}


def test_an_answer_is_read_with_everything_unpacked():
    assert read_answer(reply(GOOD)) == {"arguments": (1,), "result": [2], "warnings": []}


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"user_expressions": []},
        {"user_expressions": {"reply": {"status": "error"}}},
        {"user_expressions": {"reply": {"data": {"text/plain": 7}}}},
        reply("no base64"),
        reply("é"),
        reply(base64.b64encode(b"[" * 10**5).decode()),
        reply(7),
        reply([]),
        reply({}),
        reply(GOOD | {"warnings": 7}),
        reply(GOOD | {"result": ["array", "object", [1], "AAAAAAAAAAA="]}),
        reply(GOOD | {"arguments": ["system", "ls"]}),
        reply(GOOD | {"error": 7}),
    ],
    ids=range(14),
)
def test_a_reply_that_is_no_answer_is_refused(sent):
    with pytest.raises(ValueError, match="no answer that can be read"):
        read_answer(sent)


@pytest.fixture
def client():
    client = bounded_client()
    yield client
    client.context.destroy(linger=0)


def test_sockets_for_kernels_take_no_long_messages(client):
    with client.context.socket(zmq.DEALER) as socket:
        assert socket.getsockopt(zmq.MAXMSGSIZE) == MESSAGE
        assert socket.getsockopt(zmq.RCVHWM) == 20


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_message_with_a_long_head_is_refused_unread(part, client):
    kernel = Session(key=client.session.key)
    message = kernel.msg("stream", {"name": "stdout", "text": "x" * (HEAD + 1)})
    _, signature, *parts = kernel.serialize(message)
    assert client.session.deserialize([signature, *parts])["content"] == message["content"]
    parts[part] = b"[" + b"[]," * HEAD + b"1]"
    with pytest.raises(ValueError, match="the head of a message has more than 65536 bytes"):
        client.session.deserialize([kernel.sign(parts), *parts])
