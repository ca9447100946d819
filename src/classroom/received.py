"""What is kept of what a kernel sends. It may be forged, and as long as the student likes.

Messages come through `bounded_client`; outputs of cells pass `keep`, answers of functions
`read_answer`.
"""

import base64
import json
import re

import zmq
from jupyter_client import BlockingKernelClient
from jupyter_client.session import Session

from . import travel

MESSAGE = 16 * 2**20  # bytes of a message from a kernel; a longer one ends the connection
HEAD = 64 * 2**10  # bytes of each part before the content: what, when, in answer to what
WAITING = 20  # messages of a channel that wait in the grader's memory
TEXT = 20_000  # characters of output that are kept of a cell
IMAGE = 2_000_000


class BoundedSession(Session):
    """Reads messages, and refuses those with a long head, which it would take seconds to read."""

    def deserialize(self, msg_list, content=True, copy=True):
        """Return a message; raises ValueError if it is none."""
        if any(len(part) > HEAD for part in msg_list[1:4]):
            raise ValueError(f"the head of a message has more than {HEAD} bytes")
        return super().deserialize(msg_list, content, copy)


def bounded_client():
    """Return a client of a kernel that takes no more than the limits."""
    context = zmq.Context()
    for option, value in {zmq.MAXMSGSIZE: MESSAGE, zmq.RCVHWM: WAITING, zmq.LINGER: 0}.items():
        context.setsockopt(option, value)
    return BlockingKernelClient(context=context, session=BoundedSession())


def read_answer(reply):
    """Return what a function of the student has answered, with everything unpacked.

    Parameters
    ----------
    reply : dict
        The content of a kernel's reply to the code that calls `travel.answer`.

    Returns
    -------
    dict
        As `travel.answer` describes it.

    Raises
    ------
    ValueError
        If it is not an answer that can be read.
    """
    try:
        text = reply["user_expressions"]["reply"]["data"]["text/plain"]
        found = json.loads(base64.b64decode(text.strip("'")))
        found["arguments"] = travel.unpack(found["arguments"])
        if "error" in found:
            found["error"] = [str(part) for part in found["error"]][:2]
        else:
            found["result"] = travel.unpack(found["result"])
        found["warnings"] = [str(text) for text in found["warnings"]]
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise ValueError("no answer that can be read") from error
    return found


def keep(outputs, output, size):
    """Append an output, text or image, if it is not too much; return the size of all.

    What a kernel sends may be forged: nothing in an output can become HTML later.
    """
    if output.output_type == "stream":
        output.name = "stderr" if output.name == "stderr" else "stdout"
        text = str(output.text)
        output.text = text[: max(0, TEXT - size)]
        length = len(output.text)
        if 0 < length < len(text):
            output.text += "\n… more was printed"
            length = TEXT
    elif output.output_type == "error":
        output.traceback = [str(line)[:2000] for line in output.traceback][-8:]
        output.ename, output.evalue = str(output.ename)[:100], str(output.evalue)[:2000]
        length = sum(map(len, output.traceback)) if size < TEXT else 0
    else:
        data = {k: v for k, v in output.data.items() if k in {"text/plain", "image/png"}}
        picture = str(data.pop("image/png", ""))
        if len(picture) <= IMAGE and size < TEXT and re.fullmatch(r"[A-Za-z0-9+/=\s]+", picture):
            data["image/png"] = picture
        data["text/plain"] = str(data.get("text/plain", ""))[: max(0, TEXT - size)]
        output.data, output.metadata = data, {}
        length = len(data["text/plain"]) + len(data.get("image/png", "")) // 100
    if length:
        last = outputs[-1] if outputs else None
        if output.output_type == "stream" and last and last.get("name") == output.name:
            last.text += output.text
        else:
            outputs.append(output)
    return size + length
