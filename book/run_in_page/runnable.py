"""What the cells of a page need: libraries that a page lacks, and each other.

The extension of Sphinx and the worker of a page both ask here.
"""

import ast
import dis
import inspect

ABSENT = {  # modules that do not run in a page, and what readers call them
    "torch": "PyTorch",
    "mxnet": "MXNet",
    "scipy": "SciPy",
    "ml_dtypes": "bfloat16 arrays (ml_dtypes)",
    "subprocess": "a second process",
    "libraries": "the libraries that it compares",  # only as a tag
}


def lacking(sources, tags):
    """Return what each cell of a page needs and a page in a browser lacks.

    A cell lacks what it imports, what a tag such as ``needs-torch`` says, and what the cells lack
    that bind or change a name which it uses. The tags are for what no import in a cell shows.

    Parameters
    ----------
    sources : list of str
        The cells of a page in order.
    tags : list of (list of str)

    Returns
    -------
    list of (str or None)
        The names of what is lacking, as readers know them: ``"PyTorch and SciPy"``. None for a cell
        that can run.

    Raises
    ------
    KeyError
        For a tag that names nothing in `ABSENT`.
    """
    found, missing, imported = [], {}, set()
    for source, labels in zip(sources, tags, strict=True):
        names = Names(source)
        lack = {ABSENT[name]: None for name in names.modules if name in ABSENT}
        lack |= {ABSENT[t.removeprefix("needs-")]: None for t in labels if t.startswith("needs-")}
        for name in sorted(names.uses & set(missing)):
            lack |= missing[name]
        imported |= names.imports  # no cell changes a module
        if lack:
            missing |= dict.fromkeys(names.binds | names.changes - imported, lack)
        else:
            missing = {name: lack for name, lack in missing.items() if name not in names.binds}
        found.append(" and ".join(lack) or None)
    return found


def needed(sources, target, done):
    """Return which cells to run, in order: those that the target builds on, and itself.

    A cell builds on those before it that bind a name which it uses, or that change what such a name
    stands for: by an assignment to a part of it, a method, or as an argument whose result is not
    used. It is enough to know names, since the cells of a page share nothing else.

    Parameters
    ----------
    sources : list of (str or None)
        The cells of the page in order; None for those that cannot run in a page.
    target : int
    done : collection of int
        Cells that have run already.

    Returns
    -------
    list of int
    """
    cells = [Names(source) for source in sources[: target + 1]]
    imported = set().union(*(cell.imports for cell in cells))  # what is imported, no cell changes
    wanted, chosen = set(cells[target].uses), [target]
    for i in range(target - 1, -1, -1):
        cell = cells[i]
        if wanted & (cell.binds | cell.changes - imported):
            chosen.append(i)
            wanted = wanted - cell.binds | cell.uses
    return [i for i in reversed(chosen) if i == target or i not in done]


class Names:
    """The names that a cell uses, binds, imports, and whose objects it may change.

    Empty for a cell that is None or cannot be read: its error is shown when it runs.
    """

    def __init__(self, source):
        self.uses, self.binds, self.imports, self.changes = set(), set(), set(), set()
        self.modules = []
        try:
            tree = ast.parse(source or "")
            self._read(compile(tree, "cell", "exec"))
        except (SyntaxError, ValueError):  # also what is no text, such as half a surrogate pair
            return
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    self._import(names)
                    self.modules += [alias.name.partition(".")[0] for alias in names]
                case ast.ImportFrom(module=module, names=names):
                    self._import(names)
                    self.modules.append((module or "").partition(".")[0])
                case ast.Attribute(ctx=ast.Store() | ast.Del()):
                    self._change(node)
                case ast.Subscript(ctx=ast.Store() | ast.Del()):
                    self._change(node)
                case ast.Call(func=ast.Attribute() as method):
                    self._change(method)
                case ast.Expr(value=ast.Call(args=arguments)):
                    for argument in arguments:
                        self._change(argument)

    def _read(self, code):
        """Take from compiled code what is global: the compiler knows the scopes.

        What the cell itself has bound before, it does not need from another cell.
        """
        for step in dis.get_instructions(code):
            if step.opname in ("STORE_NAME", "STORE_GLOBAL", "DELETE_NAME"):
                self.binds.add(step.argval)
            elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and step.argval not in self.binds:
                self.uses.add(step.argval)
        for part in filter(inspect.iscode, code.co_consts):
            self._read(part)

    def _import(self, names):
        self.imports |= {alias.asname or alias.name.partition(".")[0] for alias in names}

    def _change(self, node):
        """Note the name at the root of ``name.part[0].other``."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if isinstance(node, ast.Name) and node.id in self.uses:
            self.changes.add(node.id)
