"""Published distillation methods, one file each, found by a registry.

Every module of this folder is imported here, so that a new file is known without editing another.
"""

from __future__ import annotations

import importlib
import pkgutil

from graphstill.method import METHODS, Method, make_method

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

#: Every published method by the name of its class.
CLASSES: dict[str, type[Method]] = {cls.__name__: cls for cls in METHODS.values()}


def __getattr__(name: str) -> type[Method]:
    if name in CLASSES:
        return CLASSES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CLASSES", "METHODS", "make_method"]
