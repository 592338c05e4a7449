"""The optional libraries of an export, loaded when they are needed."""

from __future__ import annotations

import importlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from graphstill.errors import ExportError


def onnx_module() -> Any:
    """The package onnx with the parts that an export uses."""
    for part in ("onnx.checker", "onnx.helper", "onnx.numpy_helper"):
        needed(part)
    return needed("onnx")


def needed(name: str) -> Any:
    """An optional module.

    Raises:
        ExportError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = name.partition(".")[0]
        raise ExportError(
            f"the package {package!r} is not installed ({error}), and an export needs it: "
            "pip install 'graphstill[export]'"
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without what exporters and quantisers say to those who write exporters and quantisers; errors still come."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
