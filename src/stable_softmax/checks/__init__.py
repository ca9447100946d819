"""Checks of the exercises: one module a chapter, one function an exercise.

Each check prints a table with a line per case, ``ok`` or ``FAIL`` with the reason, and returns a
`Report`, which is true if every case passed. Checks need NumPy only.
"""

import importlib
import pkgutil

from .report import Case, Report, check_cases

__all__ = ["Case", "Report", "check_cases"]
for _module in pkgutil.iter_modules(__path__):
    _found = importlib.import_module(f"{__name__}.{_module.name}")
    for _name in vars(_found):
        if _name.startswith("check_") and _name not in globals():
            globals()[_name] = vars(_found)[_name]
            __all__.append(_name)  # noqa: PYI056
