"""Published distillation methods, one file each, found by a registry.

Every module of this folder that defines methods is imported here, so that a new file is known without editing another.
"""

from __future__ import annotations

import importlib
import pkgutil

from graphstill.methods.method import METHODS, Composite, Method, Needs, Parts, Spec, Step, Term, make_method, register
from graphstill.methods.views import Peers, View

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

#: Every published method by the name of its class.
CLASSES: dict[str, type[Method]] = {cls.__name__: cls for cls in METHODS.values()}


def __getattr__(name: str) -> type[Method]:
    if name in CLASSES:
        return CLASSES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "CLASSES",
    "METHODS",
    "Composite",
    "Method",
    "Needs",
    "Parts",
    "Peers",
    "Spec",
    "Step",
    "Term",
    "View",
    "make_method",
    "register",
]
