"""The loss of a vocabulary whose classes are divided among processes.

Each process holds some rows of the weights, and the hidden states and labels of all tokens. For
each token it finds the maximum and the sum of its own classes; the processes then merge these
numbers, and none of them ever sees a logit of another one. They speak through
``torch.distributed`` with its backend gloo, which needs no GPU.

A process that has ended, or that is late, is a `ProcessLost` in all others: nobody waits longer
than the timeout.
"""

import contextlib
import datetime
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np

from ..arrays import as_number, as_numpy, namespace
from ..exact_numbers import count
from ..extras import needs
from .vocabulary import Sums, checked, divisors, finished, gradients_of, loss_of, sums_of
from .vocabulary import vocabulary_loss as _single

_START = 60.0  # seconds in which a process imports what it needs


class ProcessLost(RuntimeError):
    """A process of the group did not take part in a step: it has ended, or it is late."""


def parallel_loss_and_gradients(
    hidden, weights, labels, bias=None, *, first, timeout=30.0, **options
):
    """Mean cross-entropy of a last layer of which this process holds some classes.

    All processes of the default group call it at the same time, with the same hidden states,
    labels and options. The parts of the vocabulary may differ in size; in the order of the
    processes they cover it without gap or overlap.

    Source: Shoeybi et al. 2019 (parallel cross-entropy).

    Other parameters and errors: see `vocabulary_loss`.

    Parameters
    ----------
    weights, bias
        The part of this process: of the classes ``first .. first + len(weights) - 1``. The option
        `class_weights` is of these classes as well.
    labels : array_like of int
        Indices of classes in the whole vocabulary.
    first : int
        The first class of this process.
    timeout : float
        Seconds, positive: how long each step waits for the other processes.
    **options
        The keywords of `vocabulary_loss`.

    Returns
    -------
    loss : scalar
        The same in all processes.
    gradients : tuple of arrays
        That of `hidden` is whole, and the same in all processes; those of `weights` and `bias` are
        of the part.

    Raises
    ------
    ProcessLost
        In all processes that are left, if one has ended or is late by more than `timeout`.
    ValueError
        Also if the parts leave a gap or overlap, or the labels differ among the processes.
    RuntimeError
        If this process belongs to no group.
    """
    group = _Group(timeout)
    known = _single.__kwdefaults__
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(known)}")
    options = known | options
    all_classes = group.agree(first, len(weights), labels)
    divide_by = options.pop("divide_by")
    task = checked(
        hidden, weights, labels, bias, **options, divide_by=None, part=(first, all_classes)
    ).detached()
    if task.class_weights is not None:
        task = replace(
            task,
            label_weights=group.sum(task.label_weights, "the weights of the labels"),
            all_weights=float(group.sum(np.array(task.all_weights), "the weights of the classes")),
        )
    task = replace(task, divisors=divisors(task, divide_by))
    sums = merged(task, sums_of(task), group)
    dh, *others = gradients_of(task, sums)
    dh = group.sum(dh, "the gradient of the hidden states")
    return loss_of(task, sums), finished(task, (dh, *others))


def merged(task, sums, group):
    """Return the sums of all classes from those of each process: one maximum, and three sums."""
    xp = namespace(sums.m)
    m = group.max(sums.m, "the maxima")
    shift = xp.where(m == -np.inf, xp.zeros_like(m), m)  # -inf - (-inf) would be nan
    old = sums.m - shift
    s = group.sum(sums.s * xp.exp(old), "the sums")
    at_label = group.sum(sums.at_label, "the logits of the labels")  # 0 but in one process
    weighted = sums.weighted
    if task.label_smoothing:
        k = task.class_weights
        own = float(task.weights.shape[0]) if k is None else float(xp.sum(k))
        weighted = weighted + old * own if own else weighted
        weighted = group.sum(weighted, "the smoothed targets")
    return Sums(m, s, at_label, weighted)


class _Group:
    """The processes that are called together, and how long this one waits for them.

    Parameters
    ----------
    timeout : float
        Seconds.
    """

    def __init__(self, timeout):
        with needs("frameworks"):
            import torch
            import torch.distributed as dist
        self.torch, self.dist, self.timeout = torch, dist, _seconds(timeout)
        if not (dist.is_available() and dist.is_initialized()):
            raise RuntimeError(
                "this process belongs to no group: call torch.distributed.init_process_group "
                'with the backend "gloo", or loss_by_processes'
            )
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def agree(self, first, own, labels):
        """Return the number of all classes, after a comparison of what must be alike."""
        labels = np.ascontiguousarray(as_numpy(labels) if hasattr(labels, "shape") else labels)
        mark = int(np.sum((np.arange(labels.size) % 8191 + 1) * (labels.ravel() % 8191)))
        mine = self.torch.tensor([first, own, labels.size, mark])
        every = [self.torch.zeros_like(mine) for _ in range(self.size)]
        self._wait(lambda: self.dist.all_gather(every, mine, async_op=True), "the parts")
        parts = [part.tolist() for part in every]
        if len({tuple(part[2:]) for part in parts}) > 1:
            raise ValueError("the labels differ among the processes: give all of them the same")
        end = 0
        for rank, (start, size, *_) in enumerate(parts):
            if start != end:
                raise ValueError(
                    f"the part of process {rank} begins at class {start}, and the one before it "
                    f"ends at {end}: the parts must cover the vocabulary in order"
                )
            end = start + size
        return end

    def sum(self, values, what):
        """Return the sum over all processes."""
        return self._reduce(values, self.dist.ReduceOp.SUM, what)

    def max(self, values, what):
        """Return the maximum over all processes; nan where one of them has nan."""
        nan = self.sum(np.asarray(as_numpy(values) != as_numpy(values), dtype=np.int64), what)
        largest = self._reduce(values, self.dist.ReduceOp.MAX, what)
        xp = namespace(largest)
        return xp.where(xp.asarray(nan) > 0, xp.full_like(largest, np.nan), largest)

    def _reduce(self, values, operation, what):
        is_tensor = self.torch.is_tensor(values)
        tensor = values.detach().clone() if is_tensor else self.torch.tensor(values)
        self._wait(lambda: self.dist.all_reduce(tensor, operation, async_op=True), what)
        return tensor if is_tensor else tensor.numpy()

    def _wait(self, start, what):
        try:
            start().wait(datetime.timedelta(seconds=self.timeout))
        except (RuntimeError, ValueError) as error:
            raise ProcessLost(
                f"process {self.rank} of {self.size} waited in vain for the others to merge "
                f"{what}: one of them has ended, or is late by more than {self.timeout:g} s"
            ) from error


def loss_by_processes(
    hidden, weights, labels, bias=None, *, processes, timeout=30.0, before=None, **options
):
    """Divide a vocabulary among processes of this machine, and return the loss and its gradients.

    It starts the processes, gives each its classes, and ends them, whatever happens. For teaching
    and for tests: a cluster starts its own, which call `parallel_loss_and_gradients`.

    Returns what `vocabulary_loss_and_gradients` returns, as NumPy arrays.

    Other parameters and errors: see `vocabulary_loss`.

    Parameters
    ----------
    processes : int
        How many, at most one per class.
    timeout : float
        Seconds, positive: how long each step waits for the other processes.
    before : callable, optional
        A function of the number of the process that each calls before it takes part: it can be
        late, or end its process. One of a module, not of a notebook.
    **options
        The keywords of `vocabulary_loss`.

    Raises
    ------
    ProcessLost
        If a process ends or is late; it names those that ended by themselves.
    """
    processes, timeout = count(processes, "processes"), _seconds(timeout)
    hidden, weights, labels = (np.asarray(a) for a in (hidden, weights, labels))
    bias, n = None if bias is None else np.asarray(bias), len(weights)
    if processes > n:
        raise ValueError(f"{processes} processes cannot share {n} classes")
    with needs("frameworks"):
        import torch  # noqa: F401  (missing here, and not first in a process of its own)
    cuts = [n * rank // processes for rank in range(processes + 1)]
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that are held
    with tempfile.TemporaryDirectory() as folder:
        started = []
        try:
            for rank in range(processes):
                part = slice(cuts[rank], cuts[rank + 1])
                own = _part(options, part)
                arrays = hidden, weights[part], labels, None if bias is None else bias[part]
                ours, theirs = context.Pipe(duplex=False)
                arguments = (
                    theirs,
                    rank,
                    processes,
                    folder,
                    timeout,
                    before,
                    arrays,
                    own,
                    part.start,
                )
                process = context.Process(target=_work, args=arguments, daemon=True)
                process.start()
                theirs.close()
                started.append((process, ours))
            answers = _answers(started, timeout)
            return _together(_checked_answers(answers, started, timeout))
        finally:
            for process, pipe in started:
                if process.is_alive():
                    process.kill()
                process.join()
                pipe.close()


def late_by_a_minute(rank):
    """Keep process number 1 from its work for a minute: for `loss_by_processes`, as `before`.

    Parameters
    ----------
    rank : int
    """
    if rank == 1:
        time.sleep(60)


def _part(options, part):
    """Return the options of the process that holds some classes."""
    k = options.get("class_weights")
    return options if k is None else options | {"class_weights": np.asarray(k)[part]}


def _work(pipe, rank, size, folder, timeout, before, arrays, options, first):
    """Take part in one loss, and send the answer or what went wrong. Runs in its own process."""
    import torch.distributed as dist

    if sys.platform == "linux":  # not by way of the name of the machine, which may lead nowhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    try:
        dist.init_process_group(
            "gloo",
            init_method=(Path(folder) / "meeting").as_uri(),
            rank=rank,
            world_size=size,
            timeout=datetime.timedelta(seconds=_START),
        )
        if before is not None:
            before(rank)
        answer = parallel_loss_and_gradients(*arrays, first=first, timeout=timeout, **options)
        # who leaves first would take a message of another one with it
        _Group(timeout)._wait(lambda: dist.barrier(async_op=True), "the end")
        pipe.send((answer, None))
    except Exception as error:
        error.add_note(f"in process {rank} of {size}:\n{traceback.format_exc()}")
        pipe.send((None, error))
    pipe.close()
    with contextlib.suppress(RuntimeError):
        dist.destroy_process_group()


def _answers(started, timeout):
    """Return what each process sent, None for one that ended or was late, and how they ended."""
    pipes = {pipe: rank for rank, (_, pipe) in enumerate(started)}
    answers, deadline = [None] * len(started), None
    while pipes:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        ready = wait(list(pipes), left)
        if not ready:
            break
        for pipe in ready:
            rank = pipes.pop(pipe)
            with contextlib.suppress(EOFError):
                answers[rank] = pipe.recv()
            if deadline is None and (answers[rank] is None or answers[rank][1] is not None):
                deadline = time.monotonic() + timeout + 1  # the others will notice by then
    return answers


def _checked_answers(answers, started, timeout):
    """Return the results of all processes, or raise what went wrong."""
    missing = [rank for rank, answer in enumerate(answers) if answer is None]
    errors = [answer[1] for answer in answers if answer is not None and answer[1] is not None]
    cause = next((e for e in errors if not isinstance(e, ProcessLost)), None)
    if cause is not None:
        raise cause
    if missing or errors:
        told = []
        for rank in missing:
            started[rank][0].join(0.5)
            status = started[rank][0].exitcode
            late = f"was late by more than {timeout:g} s"
            told.append(
                f"process {rank} of {len(started)} "
                + (late if status is None else f"has ended with exit status {status}")
            )
        raise ProcessLost("; ".join(told) or str(errors[0])) from (errors[0] if errors else None)
    return [answer[0] for answer in answers]


def _together(results):
    """Return the loss, the gradient of the hidden states, and the others, joined."""
    (loss, (dh, *_)), parts = results[0], [gradients[1:] for _, gradients in results]
    return loss, (dh, *(np.concatenate(part) for part in zip(*parts, strict=True)))


def _seconds(timeout):
    seconds = as_number(timeout, "timeout")
    if not 0 < seconds < 1e6:
        raise ValueError(f"timeout must be a positive number of seconds, not {timeout!r}")
    return seconds
