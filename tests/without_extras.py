"""A program that uses the package with NumPy and array-api-compat alone.

``python -m tests.without_extras`` hides every library that an extra brings, and so finds the same
on a machine that has them all. ``test_extras.py`` runs it; no pytest is needed to do so elsewhere.
"""

import importlib
import pkgutil
import sys
from decimal import Decimal, localcontext
from importlib.machinery import PathFinder

EXTRAS = {  # the modules that each extra of pyproject.toml adds
    "exact": ["flint", "mpmath"],
    "formats": ["ml_dtypes"],
    "book": ["matplotlib", "matplotlib_inline", "IPython", "tqdm"],
    "frameworks": ["torch", "mxnet", "scipy", "sklearn"],
    "array-libraries": ["array_api_strict", "dask", "jax"],
}
HIDDEN = {module for modules in EXTRAS.values() for module in modules}


class Hiding(PathFinder):
    """Find modules as Python does, but for those of the extras."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Return the specification of a module, None if it is hidden."""
        if name.partition(".")[0] in HIDDEN:
            return None
        return super().find_spec(name, path, target)


def import_everything():
    """Import each module; return those that are refused, with the sentence that says why."""
    package, refused = importlib.import_module("stable_softmax"), {}
    for module in pkgutil.walk_packages(package.__path__, "stable_softmax."):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            refused[module.name.removeprefix("stable_softmax.")] = str(error)
    return refused


def reference(row, label):
    """Return the values of all functions for one row, from the 50 digits of `decimal`."""
    with localcontext(prec=50):
        powers = [Decimal(v).exp() for v in row]
        log_sum = sum(powers).ln()
        p = [power / sum(powers) for power in powers]
        return {
            "softmax": [float(v) for v in p],
            "log_softmax": [float(Decimal(v) - log_sum) for v in row],
            "logsumexp": float(log_sum),
            "cross_entropy": float(log_sum - Decimal(row[label])),
            "cross_entropy_gradient": [float(v - (i == label)) for i, v in enumerate(p)],
        }


def functions():
    """Return the public functions of each kind, on every rung but the exact one."""
    import stable_softmax

    kinds = ["cross_entropy_gradient", "cross_entropy", "log_softmax", "logsumexp", "softmax"]
    found = {}
    for name in sorted(vars(stable_softmax)):
        kind = next((kind for kind in kinds if name.startswith(f"{kind}_")), None)
        if kind and not name.endswith(("_exact", "_jacobian")) and "_bound_" not in name:
            found[name] = kind
    return found


def check_results():
    """Check dtype and digits of each function in each format of NumPy."""
    import numpy as np

    import stable_softmax

    row, label = [0.5, -1.25, 2.0, 0.0, -3.5], 0
    expected, named = reference(row, label), functions()
    for dtype in (np.float64, np.float32, np.float16):
        x = np.array([row, row], dtype=dtype)
        for name, kind in named.items():
            arguments = (x, [label, label]) if "entropy" in name else (x,)
            result = getattr(stable_softmax, name)(*arguments)
            assert result.dtype == dtype, (name, dtype)
            assert np.all(np.isfinite(result)), (name, dtype)
            if not name.endswith("_epsilon"):  # 1e-7 off on purpose
                errors = stable_softmax.ulp_error(result, [expected[kind]] * 2)
                # none cancels here; exp magnifies the roundings of an argument of -6 most
                assert np.max(errors) < 10, (name, dtype, errors)
    for kind in expected:
        assert {f"{kind}_{rung}" for rung in ("twosum", "wider", "double_double")} <= set(named)


def check_formats():
    """Check that a format whose dtype NumPy lacks is still data, and that numbers round to it."""
    import numpy as np

    from stable_softmax import BF16, E4M3, E5M2, FORMATS, TF32, format_of, round_to, ulp
    from stable_softmax.experiments.low_precision import odds_change
    from stable_softmax.floating_point import rounded_numbers

    for fmt, name in ((BF16, "bfloat16"), (E4M3, "float8_e4m3fn"), (E5M2, "float8_e5m2")):
        assert format_of(name) is format_of(str(fmt)) is FORMATS[str(fmt)] is fmt
        assert ulp(1.0, fmt) == 2 * fmt.unit_roundoff
        assert said(lambda fmt=fmt: fmt.dtype) == missing("ml_dtypes", "formats")
        assert said(lambda fmt=fmt: round_to([1.0], fmt)) == missing("ml_dtypes", "formats")
        assert odds_change(1.0, fmt) == np.expm1(fmt.unit_roundoff)
        assert rounded_numbers(1 + 1.5 * fmt.unit_roundoff, fmt) == 1 + 2 * fmt.unit_roundoff
    assert TF32.dtype is None
    assert round_to([1 + 2.0**-30], "fp16").dtype == np.float16


def check_sentences():
    """Check what each function says that needs an extra."""
    import numpy as np

    import stable_softmax
    from stable_softmax import checks
    from stable_softmax.experiments.training import load_digits_split
    from stable_softmax.libraries import adapters
    from stable_softmax.libraries.autograd import loss_and_gradient
    from stable_softmax.measure.exact_parts import exact_parts

    x, labels = np.array([[1.0, 2.0]]), [0]
    exact = [name for name in vars(stable_softmax) if name.endswith("_exact")]
    assert len(exact) == 10
    others = {"entropy_exact": (x,), "kl_divergence_exact": (x, -x)}
    others["hessian_vector_product_exact"] = (x, x)
    for name in exact:
        arguments = (x, labels) if "entropy" in name else (-x,)  # log-probabilities are negative
        sentence = said(getattr(stable_softmax, name), *others.get(name, arguments))
        assert sentence == missing("flint", "exact"), name
    assert said(exact_parts, x, labels) == missing("flint", "exact")
    assert said(checks.check_temperature, None) == missing("flint", "exact")
    loss = stable_softmax.cross_entropy_shifted
    assert said(loss_and_gradient, loss, x, labels) == missing("torch", "frameworks")
    assert said(load_digits_split) == missing("sklearn", "frameworks")
    assert said(adapters.import_mxnet) == adapters.why_no_mxnet()
    assert adapters.available_frameworks() == {}


def missing(library, extra):
    """Return the sentence about a library that is missing."""
    return f"{library} is missing here: pip install 'stable-softmax[{extra}]'"


def said(function, *arguments):
    """Return the text of the ImportError that a call raises."""
    try:
        function(*arguments)
    except ImportError as error:
        return str(error)
    raise AssertionError(f"{function} needs nothing")


def main():
    """Hide the libraries, and use the package."""
    sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
    refused = import_everything()
    drawing = ["notebook.diagram", "notebook.display", "notebook.figures", "notebook.number_line"]
    expected = dict.fromkeys(drawing, missing("IPython", "book"))
    assert refused == expected | {"measure.intervals": missing("mpmath", "exact")}, refused
    check_results()
    check_formats()
    check_sentences()
    loaded = HIDDEN & {name.partition(".")[0] for name in sys.modules}
    assert not loaded, f"an import came another way: {loaded}"


if __name__ == "__main__":
    main()
