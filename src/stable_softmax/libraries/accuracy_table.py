"""Measure every rung of the ladder and every library, on every input family, in ulp."""

import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .. import cross_entropy, log_softmax, logsumexp, softmax
from ..floating_point import round_to
from ..ladder import double_double, twosum, wider
from ..measure.error import absolute_error, ulp_error
from ..measure.exact_parts import exact_parts
from ..measure.families import FAMILIES
from .adapters import available_frameworks, call_all, describe_machine, is_installed
from .mxnet_process import functions_in_fresh_mxnet

FUNCTIONS = ("softmax", "log_softmax", "logsumexp", "cross_entropy", "cross_entropy_gradient")
#: The rungs of the ladder, from the bottom to the top, each a dictionary of functions.
RUNGS = {
    "shifted": {
        "softmax": softmax.softmax_shifted,
        "log_softmax": log_softmax.log_softmax_shifted,
        "logsumexp": logsumexp.logsumexp_shifted,
        "cross_entropy": cross_entropy.cross_entropy_shifted,
        "cross_entropy_gradient": cross_entropy.cross_entropy_gradient_shifted,
    },
    "log1p": {
        "softmax": softmax.softmax_shifted,
        "log_softmax": log_softmax.log_softmax_log1p,
        "logsumexp": logsumexp.logsumexp_log1p,
        "cross_entropy": cross_entropy.cross_entropy_log1p,
        "cross_entropy_gradient": cross_entropy.cross_entropy_gradient_complement,
    },
    "twosum": {name: getattr(twosum, f"{name}_twosum") for name in FUNCTIONS},
    "wider": {name: getattr(wider, f"{name}_wider") for name in FUNCTIONS},
    "double-double": {name: getattr(double_double, f"{name}_double_double") for name in FUNCTIONS},
}
TOP = "double-double"
QUICK = 10_000


@dataclass(frozen=True)
class Measurement:
    """The errors of one implementation of one function, on one family in one format.

    Parameters
    ----------
    family, fmt, function, implementation : str
    worst, mean : float
        Of the errors in ulp against the exact values; inf if a result is not finite although the
        exact value is. The mean is over the finite results.
    absolute : float
        The largest absolute error of a finite result.
    rounded : float
        The share of results that are correctly rounded.
    non_finite : float
        The share of results that are inf or nan although the exact value is finite.
    wrong_sign : float
        The share of log-probabilities above 0, and of losses and probabilities below 0.
    """

    family: str
    fmt: str
    function: str
    implementation: str
    worst: float
    mean: float
    absolute: float
    rounded: float
    non_finite: float
    wrong_sign: float


@dataclass(frozen=True)
class Table:
    """All measurements of one run, and what they ran on.

    Parameters
    ----------
    elements : int
        Logits in each family and format, about.
    machine : mapping of str to str
        See `stable_softmax.libraries.adapters.describe_machine`.
    measurements : tuple of Measurement
    times : mapping of str to sequence of float, optional
        See `rung_times`. A table that was measured for a page has none, because two builds of one
        page must not differ.
    """

    elements: int
    machine: Mapping
    measurements: tuple
    times: Mapping = field(default_factory=dict)

    def select(self, **wanted):
        """Return the measurements whose fields have the wanted values: ``fmt="fp32"``."""
        return [
            m
            for m in self.measurements
            if all(getattr(m, field) == value for field, value in wanted.items())
        ]

    def worst(self, fmt, function, implementation):
        """Return the largest error over all families, in ulp; nan if it was not measured."""
        found = self.select(fmt=fmt, function=function, implementation=implementation)
        return max((m.worst for m in found), default=np.nan)

    @property
    def implementations(self):
        """The names of all implementations, ours first."""
        return list(dict.fromkeys(m.implementation for m in self.measurements))

    @property
    def losses(self):
        """Pairs (ours, theirs) in which a library is more accurate than the top rung.

        That is a smaller worst error, or fewer results that are not finite. Two worst errors
        count as equal if they differ by less than a millionth of an ulp.
        """
        ours = {(m.family, m.fmt, m.function): m for m in self.select(implementation=TOP)}
        pairs = [
            (ours[m.family, m.fmt, m.function], m)
            for m in self.measurements
            if m.implementation not in RUNGS
        ]
        return [
            (top, peer)
            for top, peer in pairs
            if not top.worst <= peer.worst + 1e-6 or top.non_finite > peer.non_finite
        ]


def keep(table, path):
    """Write a table into a file, with what it was measured with.

    Parameters
    ----------
    table : Table or another dataclass of measurements, with a field ``machine``
    path : str or Path
    """
    Path(path).write_text(json.dumps({"code": _code(), **asdict(table)}))


def kept(path, make=None):
    """Return the table in a file, if the same measurement would be taken here.

    Parameters
    ----------
    path : str or Path
    make : callable, optional
        Makes a table of another kind than `Table` from a dictionary of its fields.

    Returns
    -------
    Table, what `make` returns, or None
        The latter if there is no such file, or if it was made by other code, with other versions,
        or on another kind of CPU.
    """
    found = json.loads(Path(path).read_text()) if Path(path).exists() else {}
    if found.pop("code", None) != _code() or found["machine"] != describe_machine():
        return None
    return (make or _table)(found)


def _table(found):
    return Table(**found | {"measurements": tuple(Measurement(**m) for m in found["measurements"])})


def measure(elements=QUICK, families=FAMILIES, progress=None):
    """Measure all implementations.

    Parameters
    ----------
    elements : int
        Logits per family and format, about; at least one row.
    families : sequence of InputFamily
    progress : callable, optional
        Takes a sequence and what its items are, and yields the items, such as `show_progress` of
        ``stable_softmax.notebook.display``.

    Returns
    -------
    Table
    """
    batches = [
        (family, fmt, *family.samples(fmt, elements))
        for family in families
        for fmt in family.formats
    ]
    elsewhere = _mxnet(batches)
    measurements = []
    under_way = progress(batches, "families and formats") if progress else batches
    for family, fmt, x, labels in under_way:
        exact = exact_parts(x, labels)
        computed = _computed(x, labels, fmt) | elsewhere.get((family.name, fmt.name), {})
        for implementation, results in computed.items():
            measurements += [
                _compare(
                    results[name], exact[name], fmt, (family.name, fmt.name, name, implementation)
                )
                for name in FUNCTIONS
                if name in results
            ]
    return Table(elements, describe_machine(), tuple(measurements))


def relative_times(functions, *arguments, repeats=7):
    """Time functions in turns, and return each time as a multiple of the first one.

    Parameters
    ----------
    functions : sequence of callable
    *arguments
        What each is called with.
    repeats : int
        How often each function is called; its fastest call counts.

    Returns
    -------
    list of float
        A ratio from one run on a machine that may also be doing other work.
    """
    best = [np.inf] * len(functions)
    for _ in range(repeats + 1):  # the first round warms up, and hardly ever wins
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function(*arguments)
            best[i] = min(best[i], time.perf_counter() - start)
    return [t / best[0] for t in best]


def rung_times(elements=100_000):
    """Time the log-softmax of each rung, as a multiple of the first rung's.

    Parameters
    ----------
    elements : int
        Logits in each sample; at least 1000.

    Returns
    -------
    dict of str to list of float
        By format and number of classes, such as ``"fp64, n = 10"``, a ratio for each rung.
    """
    functions = [rung["log_softmax"] for rung in RUNGS.values()]
    samples = {
        f"{fmt}, n = {n}": round_to(np.random.default_rng(0).normal(size=(elements // n, n)), fmt)
        for fmt in ("fp64", "fp32")
        for n in (10, 1000)
    }
    return {name: relative_times(functions, x) for name, x in samples.items()}


def _computed(x, labels, fmt):
    """Results of our rungs and of the libraries in this process, by implementation and name."""
    implementations = dict(RUNGS)
    for name, library in available_frameworks().items():
        if name != "MXNet" and fmt.name in library.formats:
            implementations[name] = library.functions
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        results = {
            name: call_all(functions, x, labels) for name, functions in implementations.items()
        }
    if "SciPy" in results:  # has no loss: what its users write
        rows = np.arange(len(x)), labels
        results["SciPy"]["cross_entropy"] = -results["SciPy"]["log_softmax"][rows]
        gradient = results["SciPy"]["softmax"].copy()
        gradient[rows] -= 1
        results["SciPy"]["cross_entropy_gradient"] = gradient
    return results


def _mxnet(batches):
    """Results of MXNet, with and without oneDNN, by family and format.

    Each takes a process of its own, which also keeps MXNet's remarks.
    """
    if not is_installed("mxnet"):
        return {}
    formats = available_frameworks()["MXNet"].formats
    known = [batch for batch in batches if batch[1].name in formats]
    samples = [(x, labels) for _, _, x, labels in known]
    settings = {"MXNet": {}, "MXNet without oneDNN": {"MXNET_MKLDNN_ENABLED": "0"}}
    results = [functions_in_fresh_mxnet(samples, **setting) for setting in settings.values()]
    return {
        (family.name, fmt.name): dict(zip(settings, both, strict=True))
        for (family, fmt, _, _), both in zip(known, zip(*results, strict=True), strict=True)
    }


def _compare(computed, exact, fmt, names):
    head, remainder = exact
    values = np.asarray(computed).astype(np.float64)
    errors = ulp_error(values, head, fmt, remainder)
    broken = ~np.isfinite(values) & np.isfinite(head)
    errors = np.where(broken, np.inf, errors)
    finite = np.isfinite(errors)
    log_p, signed = names[2] == "log_softmax", names[2] in ("softmax", "cross_entropy")
    wrong_sign = values > 0 if log_p else (values < 0) & signed
    return Measurement(
        *names,
        worst=float(np.max(errors)),
        mean=float(np.mean(errors[finite])) if finite.any() else np.inf,
        absolute=float(np.max(absolute_error(values, head)[finite], initial=0.0)),
        rounded=float(np.mean(values == head)),
        non_finite=float(np.mean(broken)),
        wrong_sign=float(np.mean(wrong_sign)),
    )


def _code(package=Path(__file__).parents[1]):
    """Return a hash of the package: results of other code are not taken for its own."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
