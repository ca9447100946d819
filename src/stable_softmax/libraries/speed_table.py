"""Time the functions in blocks beside other libraries, in turns, and say which goals they miss."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..floating_point import FP32, FP64
from ..scale import blocked
from . import accuracy_table
from .adapters import describe_machine, is_installed

SHAPES = (64, 10), (4096, 10), (1_000_000, 10), (4096, 1000), (512, 50_257), (16, 128_256)
FORMATS = FP32, FP64
#: Numbers of classes by which it is judged whether the time per logit depends on them.
WIDTHS = 2, 3, 5, 10, 32, 100, 1000, 8192, 131_072
LOSS = "loss with gradient"
#: Rivals that write into an array that is there, so that no new pages of memory are timed.
GIVEN = "np.exp", "np.copyto", "PyTorch, out="
#: Goals by name, each a function, format, whether a shape counts, rival, and the largest ratio.
#: They were reached on processors with AVX-512: NumPy's exponentials are slower on others.
GOALS = {
    "10 classes, 4,096 rows or more": (
        ("softmax", "fp32", lambda rows, n: n == 10 and rows >= 4096, "SciPy", 0.25),
        ("softmax", "fp32", lambda rows, n: n == 10 and rows >= 4096, "PyTorch, out=", 0.12),
    ),
    "longer rows": (("softmax", "fp32", lambda rows, n: n > 10, "SciPy", 0.6),),
    "every shape": tuple((LOSS, f.name, lambda rows, n: True, "PyTorch", 0.75) for f in FORMATS),
}
FLAT = 2  # the largest time per logit over the smallest, for all numbers of classes
TURN = 1e-3  # seconds: a call that is shorter is repeated in its turn, warm as it is in a loop


@dataclass(frozen=True)
class Race:
    """The times of one function on one sample, beside those of others that took turns with it.

    Parameters
    ----------
    function : str
        ``"softmax"``, ``"log_softmax"``, ``"logsumexp"`` or `LOSS`.
    fmt : str
    rows, classes : int
        The shape of the logits.
    nanoseconds : float
        The median time for each logit, without `out`.
    ratios : mapping of str to float
        By rival, the median of our time over its time. Those in `GIVEN` write into an array that is
        there, and are compared with ours into such an array.
    limits : mapping of str to float
        By rival, the median of the time of ``np.exp`` alone over its time: what no softmax of NumPy
        can reach.
    """

    function: str
    fmt: str
    rows: int
    classes: int
    nanoseconds: float
    ratios: Mapping
    limits: Mapping


@dataclass(frozen=True)
class SpeedTable:
    """All races of one run, and what they ran on.

    Parameters
    ----------
    machine : mapping of str to str
        See `stable_softmax.libraries.adapters.describe_machine`.
    races : tuple of Race
    widths : mapping
        By format, name and number of classes: nanoseconds for each logit of a softmax.
    """

    machine: Mapping
    races: tuple
    widths: Mapping

    @property
    def missed(self):
        """One line for each goal that was not reached."""
        lines = []
        for where, goals in GOALS.items():
            for function, fmt, counts, rival, most in goals:
                for race in self.races:
                    ratio = race.ratios.get(rival, 0)
                    judged = (race.function, race.fmt) == (function, fmt)
                    if judged and counts(race.rows, race.classes) and ratio > most:
                        lines.append(
                            f"{function}, {fmt}, {race.rows} x {race.classes}: "
                            f"{ratio:.3f} x {rival}; the goal for {where} is {most}; "
                            f"np.exp alone takes {race.limits[rival]:.3f} x {rival}"
                        )
        for fmt, by_name in self.widths.items():
            times = by_name["ours"]
            factor = max(times.values()) / min(times.values())
            if factor > FLAT:
                lines.append(
                    f"softmax, {fmt}: time per logit differs by {factor:.2f} over "
                    f"{min(map(int, times))} to {max(map(int, times))} classes; the goal is {FLAT}"
                )
        return lines


def measure(shapes=SHAPES, widths=WIDTHS, seconds=0.5, size=40 << 20, progress=None):
    """Time all functions on all samples.

    Parameters
    ----------
    shapes : sequence of (int, int)
        Rows and classes.
    widths : sequence of int
        Numbers of classes whose time per logit is compared.
    seconds : float
        About how long each call is repeated.
    size : int
        Bytes of logits in each sample of `widths`, by default more than caches hold.
    progress : callable, optional
        See `stable_softmax.libraries.accuracy_table.measure`.

    Returns
    -------
    SpeedTable
    """
    samples = [(fmt, *shape) for fmt in FORMATS for shape in shapes]
    under_way = progress(samples, "formats and shapes") if progress else samples
    races = [race for sample in under_way for race in _races(*sample, seconds)]
    times = {fmt.name: _times_by_width(fmt, widths, seconds, size) for fmt in FORMATS}
    return SpeedTable(describe_machine(), tuple(races), times)


def kept(path):
    """Return the table in a file, if it is one of this code, these versions and this kind of CPU.

    `stable_softmax.libraries.accuracy_table.keep` has written it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    SpeedTable or None
    """
    return accuracy_table.kept(path, _table)


def _table(found):
    return SpeedTable(**found | {"races": tuple(Race(**race) for race in found["races"])})


def take_turns(calls, seconds, least=5, most=400, clock=None):
    """Call functions in turns, so that what slows the machine slows them all.

    A turn is one call, or as many as fit into a millisecond. The order of each round is drawn anew,
    since a call that follows one of much memory is slower.

    Parameters
    ----------
    calls : sequence of callable
    seconds : float
        About how long each is repeated.
    least, most : int
        How many turns each has, besides two calls to warm up.
    clock : callable, optional
        By default the time that this process has worked, without what other programs took, if the
        system tells it finely enough; otherwise the time that has passed.

    Returns
    -------
    numpy.ndarray of float64, shape (calls, rounds)
        The time of a call, on average over each turn.
    """
    clock = clock or _clock()
    for call in calls:
        call()
    repeats = [max(1, round(TURN / (_time(call, 1, clock) or TURN))) for call in calls]
    rng, rounds, end = np.random.default_rng(0), [], clock() + seconds * len(calls)
    while len(rounds) < least or (len(rounds) < most and clock() < end):
        times = np.empty(len(calls))
        for i in rng.permutation(len(calls)):
            times[i] = _time(calls[i], repeats[i], clock)
        rounds.append(times)
    return np.array(rounds).T


def _time(call, number, clock):
    start = clock()
    for _ in range(number):
        call()
    return (clock() - start) / number


def contestants(x, labels):
    """Return the calls that are compared: by function, a dictionary from names to calls.

    The first one is ours. PyTorch uses one thread in its calls.

    Parameters
    ----------
    x : numpy.ndarray, shape (rows, classes)
    labels : numpy.ndarray of int64, shape (rows,)

    Returns
    -------
    dict of str to (dict of str to callable)
    """
    out = np.empty_like(x)
    calls = {
        name: {"ours": partial(getattr(blocked, f"{name}_blocked"), x)}
        for name in ("softmax", "log_softmax", "logsumexp")
    }
    calls[LOSS] = {"ours": partial(blocked.cross_entropy_with_gradient_blocked, x, labels)}
    for name in ("softmax", "log_softmax", LOSS):
        calls[name]["ours, out="] = partial(calls[name]["ours"], out=out)
        calls[name]["np.exp"] = partial(np.exp, x, out=out)
        calls[name]["np.copyto"] = partial(np.copyto, out, x)
    if is_installed("scipy"):
        from scipy import special

        for name in ("softmax", "log_softmax", "logsumexp"):
            calls[name]["SciPy"] = partial(getattr(special, name), x, axis=-1)
    if is_installed("torch"):
        for name, rivals in _torch_calls(x, labels).items():
            calls[name] |= rivals
    return calls


def _clock():
    fine = time.get_clock_info("process_time").resolution < 1e-6
    return time.process_time if fine else time.perf_counter


def _races(fmt, rows, classes, seconds):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, classes)).astype(fmt.dtype)
    for function, calls in contestants(x, rng.integers(0, classes, rows)).items():
        with _one_torch_thread():
            times = dict(zip(calls, take_turns(list(calls.values()), seconds), strict=True))
        ours = times.pop("ours")
        given = times.pop("ours, out=", None)
        ratios, limits = {}, {}
        for name, theirs in times.items():
            ratios[name] = float(np.median((given if name in GIVEN else ours) / theirs))
            if "np.exp" in times:
                limits[name] = float(np.median(times["np.exp"] / theirs))
        nanoseconds = float(np.median(ours)) / x.size * 1e9
        yield Race(function, fmt.name, rows, classes, nanoseconds, ratios, limits)


def _times_by_width(fmt, widths, seconds, size):
    rng, calls = np.random.default_rng(0), {}
    for n in widths:
        rows = max(1, math.ceil(size / (n * fmt.dtype.itemsize)))  # as many pages for each n
        x = rng.normal(size=(rows, n)).astype(fmt.dtype)
        found = contestants(x, np.zeros(len(x), np.int64))["softmax"]
        for name in ("ours", "SciPy", "PyTorch"):
            if name in found:
                calls[name, str(n)] = found[name], x.size
    only_calls = [call for call, _ in calls.values()]
    with _one_torch_thread():
        turns = take_turns(only_calls, 2 * seconds)  # the slow ones leave few rounds
    table = {}
    for ((name, n), (_, size)), times in zip(calls.items(), turns, strict=True):
        table.setdefault(name, {})[n] = float(np.median(times)) / size * 1e9
    return table


def _torch_calls(x, labels):
    import torch

    t, y = torch.from_numpy(x), torch.from_numpy(labels)
    out, variable = torch.empty_like(t), t.clone().requires_grad_()

    def loss_and_gradient():
        variable.grad = None
        losses = torch.nn.functional.cross_entropy(variable, y, reduction="none")
        losses.sum().backward()
        return losses.detach().numpy(), variable.grad.numpy()

    return {
        "softmax": {
            "PyTorch": lambda: torch.softmax(t, -1).numpy(),
            "PyTorch, out=": lambda: torch.softmax(t, -1, out=out).numpy(),
        },
        "log_softmax": {
            "PyTorch": lambda: torch.log_softmax(t, -1).numpy(),
            "PyTorch, out=": lambda: torch.log_softmax(t, -1, out=out).numpy(),
        },
        "logsumexp": {"PyTorch": lambda: torch.logsumexp(t, -1).numpy()},
        LOSS: {"PyTorch": loss_and_gradient},
    }


class _one_torch_thread:
    def __enter__(self):
        if is_installed("torch"):
            import torch

            self.threads = torch.get_num_threads()
            torch.set_num_threads(1)

    def __exit__(self, *error):
        if is_installed("torch"):
            import torch

            torch.set_num_threads(self.threads)
