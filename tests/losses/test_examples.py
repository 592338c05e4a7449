"""Every example in a docstring runs and gives what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from inspect import isfunction

import pytest

import graphstill.data.metrics
import graphstill.losses
import graphstill.ops

PACKAGES = (graphstill.losses, graphstill.data.metrics, graphstill.ops)
MODULES = [f"{p.__name__}.{info.name}" for p in PACKAGES for info in pkgutil.iter_modules(p.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module, extraglobs={"torch": importlib.import_module("torch")})
    assert not failed


def test_every_public_loss_has_an_example() -> None:
    functions = {name: getattr(graphstill.losses, name) for name in graphstill.losses.__all__}
    without = [name for name, thing in functions.items() if isfunction(thing) and ">>>" not in (thing.__doc__ or "")]
    assert not without
