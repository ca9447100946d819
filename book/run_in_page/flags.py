"""NumPy's floating-point warnings for a browser, whose arithmetic cannot give them.

A processor notes in its status flags that a result has overflowed. WebAssembly has no such flags,
and NumPy is silent there. So the operators and functions of cells and of the book's own package are
watched: an infinite result of finite numbers has overflowed or was divided by zero, and a nan that
comes from none is invalid. Underflow is seen in exponentials, products and quotients.
"""

import ast
import contextlib
import functools
import importlib.machinery
import importlib.util
import operator
import sys
import warnings

import numpy as np

OPERATORS = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.MatMult: "matmul",
}
PYTHON = {"subtract": "sub", "multiply": "mul", "divide": "truediv", "power": "pow"}
FUNCTIONS = ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "logaddexp", "sqrt", "square"]
FUNCTIONS += ["sinh", "cosh", "reciprocal", *OPERATORS.values()]
REDUCTIONS = ["sum", "prod", "mean"]
ACCUMULATIONS = ["cumsum", "cumprod"]
CASTS = ["astype", "asarray", "array", "float16", "float32"]
UNDERFLOWING = ["exp", "exp2", "multiply", "divide"]
POLES = {"log": 0, "log2": 0, "log10": 0, "log1p": -1, "reciprocal": 0}  # where they are infinite


def flagged(name, arguments, result, under=False):
    """Return what a processor would have noted of an operation.

    Parameters
    ----------
    name : str
        The NumPy function.
    arguments : sequence of array_like
        Those that are numbers.
    result : array_like
    under : bool
        Whether to look for underflow, which NumPy ignores by default.

    Returns
    -------
    list of str
        Of "divide", "over", "under" and "invalid".
    """
    values = np.asarray(result)
    if values.dtype.kind not in "fc":
        return []
    if under and name in UNDERFLOWING:
        small = np.abs(values) < np.finfo(values.dtype).tiny
        for argument in arguments:
            small = small & np.isfinite(argument) & ((argument != 0) | (name in FUNCTIONS[:2]))
        if small.any():
            return ["under"]
    if np.isfinite(values).all():
        return []
    if name in CASTS:
        values, arguments = np.isinf(values).any(), [np.isinf(np.asarray(arguments[0])).any()]
        return ["over"] if values and not arguments[0] else []
    arguments = [np.asarray(a) for a in arguments]
    if name == "matmul":
        return _flagged_products(*arguments, values)
    if name in [*REDUCTIONS, *ACCUMULATIONS]:
        finite, nan = np.isfinite(arguments[0]).all(), np.isnan(arguments[0]).any()
        found = {"over": finite, "invalid": not nan and np.isnan(values).any()}
        return [flag for flag, is_set in found.items() if is_set]
    finite = functools.reduce(operator.and_, map(np.isfinite, arguments))
    nan = functools.reduce(operator.or_, map(np.isnan, arguments))
    infinite = np.isinf(values) & finite
    if name in ("divide", "power"):  # as a quotient, or as a power of zero
        pole = arguments[name == "divide"] == 0
    else:
        pole = arguments[0] == POLES[name] if name in POLES else np.False_
    found = {
        "divide": infinite & pole,
        "over": infinite & ~pole,
        "invalid": np.isnan(values) & ~nan,
    }
    return [flag for flag, where in found.items() if np.any(where)]


def _flagged_products(left, right, values):
    """Return the flags of a matrix product: it adds up products of two numbers each."""

    def meet(one, other):
        """Whether a number of one kind is multiplied by one of another kind, for each result."""
        return one.astype(float) @ other.astype(float) > 0

    def is_in(kind):
        """Whether a number of this kind takes part."""
        return meet(kind(left), np.ones_like(right)) | meet(np.ones_like(left), kind(right))

    zero_times_inf = meet(left == 0, np.isinf(right)) | meet(np.isinf(left), right == 0)
    found = {
        "over": np.isinf(values) & ~is_in(np.isinf),
        "invalid": zero_times_inf | (np.isnan(values) & ~is_in(np.isnan)),
    }
    return [flag for flag, where in found.items() if np.any(where)]


TEXTS = {
    "divide": "divide by zero",
    "over": "overflow",
    "under": "underflow",
    "invalid": "invalid value",
}


def _tell(name, arguments, result):
    """Warn or raise as `numpy.errstate` says, at the line of the cell or the module."""
    modes = np.geterr()
    if set(modes.values()) == {"ignore"}:
        return
    arrays = any(isinstance(a, np.ndarray) for a in arguments)
    scalar = "scalar " if name in OPERATORS.values() and not arrays else ""
    where = "cast" if name in CASTS else "reduce" if name in REDUCTIONS else scalar + name
    where = where.replace("cumsum", "accumulate").replace("cumprod", "accumulate")
    for flag in flagged(name, arguments, result, modes["under"] != "ignore"):
        text = f"{TEXTS[flag]} encountered in {where}"
        if modes[flag] == "raise":
            raise FloatingPointError(text)
        if modes[flag] == "warn":
            warnings.warn(text, RuntimeWarning, stacklevel=3)


def _is_numpy(value):
    return isinstance(value, np.ndarray | np.generic)


def operate(name, left, right):
    """Compute ``left <operator> right``."""
    result = getattr(operator, PYTHON.get(name, name))(left, right)
    if _is_numpy(result):
        if name == "power" and isinstance(left, np.ndarray) and np.ndim(right) == 0:
            name = {-1: "reciprocal", 0.5: "sqrt", 2: "square"}.get(float(right), name)
        _tell(name, (left, right), result)
    return result


def operate_in_place(name, left, right):
    """Compute what ``left <operator>= right`` puts into left."""
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in (left, right)]
    result = getattr(operator, "i" + PYTHON.get(name, name))(left, right)
    if _is_numpy(result):
        _tell(name, before, result)
    return result


def call(owner, name, *arguments, **options):
    """Call ``owner.name(...)``, a reduction or a conversion, as a method or as a function."""
    result = getattr(owner, name)(*arguments, **options)
    source = owner if _is_numpy(owner) else arguments[0] if arguments else None
    if _is_numpy(result) and source is not None and "where" not in options:
        with contextlib.suppress(TypeError, ValueError):  # what was given is no array of numbers
            _tell(name, [source], result)
    return result


class Watched:
    """A function of NumPy that warns; all else of it, such as ``reduce``, is as it was."""

    def __init__(self, function, name):
        self.function, self.name = function, name
        functools.update_wrapper(self, function)

    def __call__(self, *arguments, **options):
        """Call the function."""
        result = self.function(*arguments, **options)
        if _is_numpy(result) and "where" not in options and options.get("out") is None:
            _tell(self.name, arguments[: self.function.nin], result)
        return result

    def __getattr__(self, name):
        return getattr(self.function, name)

    def __deepcopy__(self, memo):
        return self  # as of any function

    def __repr__(self):
        return repr(self.function)


class Watching(ast.NodeTransformer):
    """Put the functions above in the place of operators and calls."""

    def visit_BinOp(self, node):
        """Replace an operator."""
        self.generic_visit(node)
        return self._replaced(node, "operate", node.op, node.left, node.right)

    def visit_AugAssign(self, node):
        """Replace an operator that works in place."""
        self.generic_visit(node)
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        for part in ast.walk(target):
            ast.copy_location(part, node)
        value = self._replaced(node, "operate_in_place", node.op, target, node.value)
        if value is node:
            return node
        return ast.copy_location(ast.Assign([node.target], value), node)

    def visit_Call(self, node):
        """Replace the call of a method or function that reduces or converts."""
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(value=owner, attr=name) if name in WATCHED_CALLS:
                arguments = [owner, ast.Constant(name), *node.args]
                return _call("call", arguments, node, node.keywords)
        return node

    def _replaced(self, node, function, op, left, right):
        name = OPERATORS.get(type(op))
        if name is None:
            return node
        return _call(function, [ast.Constant(name), left, right], node)


WATCHED_CALLS = {*REDUCTIONS, *ACCUMULATIONS, *CASTS}


def _call(name, arguments, place, keywords=()):
    function = ast.Attribute(ast.Name("__flags__", ast.Load()), name, ast.Load())
    return ast.copy_location(ast.Call(function, arguments, [*keywords]), place)


def watched(tree):
    """Return a syntax tree whose operators are watched; its code needs a name ``__flags__``."""
    return ast.fix_missing_locations(Watching().visit(tree))


class Loader(importlib.machinery.SourceFileLoader):
    """Load the modules of the book's package with their operators watched."""

    def get_code(self, fullname):
        """Compile from the source: what Python caches is not watched."""
        path = self.get_filename(fullname)
        return compile(watched(ast.parse(self.get_data(path))), path, "exec", dont_inherit=True)

    def exec_module(self, module):
        """Give the module what its code calls."""
        module.__flags__ = sys.modules[__name__]
        super().exec_module(module)


class Finder:
    """Find the modules of the book's package for that loader."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return the specification of a module of the package."""
        if name.partition(".")[0] != "stable_softmax":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def are_there():
    """Return whether the processor's own flags reach NumPy, so that nothing has to be watched."""
    with np.errstate(over="raise"):
        try:
            np.exp(np.array([1e5]))
        except FloatingPointError:
            return True
    return False


def install():
    """Watch NumPy's functions and the package from now on: nothing of it may be imported yet."""
    for name in FUNCTIONS:
        setattr(np, name, Watched(getattr(np, name), name))
    np.true_divide = np.divide
    np.pow = np.power
    sys.meta_path.insert(0, Finder)


@contextlib.contextmanager
def resting():
    """Watch no function of NumPy for a while: Matplotlib asks for thousands of logarithms."""
    watching = {name: f for name, f in vars(np).items() if isinstance(f, Watched)}
    vars(np).update({name: watched.function for name, watched in watching.items()})
    try:
        yield
    finally:
        vars(np).update(watching)
