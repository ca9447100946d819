"""What a process of the tests does before it takes part: it ends, or it fails."""

import os
import signal


def kill_the_second(rank):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def kill_the_third(rank):
    if rank == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def fail_in_the_first(rank):
    if rank == 0:
        rank / 0
