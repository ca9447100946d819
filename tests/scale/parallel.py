"""What a process of the tests does before it takes part: it ends, or it is late."""

import os
import signal
import time


def kill_the_last_of_two(rank):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_the_third(rank):
    if rank == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def first_is_late(rank):
    if rank == 0:
        time.sleep(60)
