"""What is kept of what a kernel sends. It may be forged, and as long as the student likes."""

import json
import re

from . import travel

MESSAGE = 8 * 2**20  # bytes of a reply
ANSWER = 2**20  # characters of what a function returns, as it is packed
TEXT = 20_000  # characters of output that are kept of a cell
PICTURE = 500_000  # of a picture, in base64
KINDS = {"stdout", "stderr", "text", "png"}
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
COLOURS = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|\][^\x07]*\x07)")
NOT_AS_ASKED = (KeyError, TypeError, ValueError, RecursionError, AttributeError)


def read_answer(reply):
    """Return what `travel.answer` describes, with everything unpacked.

    Raises ValueError if a reply, whatever JSON it is, is not an answer that can be read.
    """
    try:
        found = {"changed": bool(reply["changed"])}
        found["warnings"] = [str(text)[:500] for text in list(reply["warnings"])[:10]]
        if "error" in reply:
            name, text = reply["error"]
            return found | {"error": [str(name)[:100], str(text)[:500]]}
        if len(json.dumps(reply["result"])) > ANSWER:
            raise ValueError("more numbers than any question asks for")
        return found | {"result": travel.unpack(reply["result"])}
    except NOT_AS_ASKED as error:
        raise ValueError("no answer that can be read") from error


def read_outputs(reply):
    """Return the outputs of a cell: pairs of a kind and a text, and not too much of either.

    All is text, or base64 of a picture. Raises ValueError if a reply has no such outputs.
    """
    kept, room = [], TEXT
    try:
        for kind, text in reply["outputs"][:1000]:
            if kind not in KINDS or not isinstance(text, str):
                raise ValueError("an output of an unknown kind")
            if kind == "png":
                kept += [(kind, text)] if len(text) <= PICTURE and BASE64.fullmatch(text) else []
                continue
            if room > 0:
                end = "\n… more was printed" if len(text) > room else ""
                kept.append((kind, COLOURS.sub("", text[:room]) + end))
            room -= len(text)
    except NOT_AS_ASKED as error:
        raise ValueError("no outputs that can be read") from error
    return kept
