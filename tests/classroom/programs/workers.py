"""Do odd things side by side, and print how each ended: tests.classroom.programs.workers"""

import json
import os
import time

from classroom.workers import side_by_side

MEMORY = []


def work(item):
    """Return, fail, sleep, end, or take memory."""
    if item == "fails":
        raise ValueError("no")
    if item == "sleeps":
        time.sleep(60)
    if item == "ends":
        os._exit(0)
    while item == "takes memory":
        MEMORY.append(bytearray(10**7))
    return item


if __name__ == "__main__":
    items = ["sleeps", "one", "fails", "ends", "takes memory", "two"]
    found = side_by_side(work, items, 12)
    print(json.dumps([[type(result).__name__, str(result)] for result in found]))
