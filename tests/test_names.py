"""Public names: written out for type checkers, complete, and each of a type."""

from __future__ import annotations

import ast

from tools import names

import graphstill as gs
from graphstill.methods import CLASSES


def test_lists_are_complete() -> None:
    for path in names.FILES:
        assert names.written(path) == sorted(names.wanted()), f"a method is missing in {path}: run make format"


def test_every_public_name_is_imported_for_type_checkers() -> None:
    tree = ast.parse((names.PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and len(node.body) > 10]
    written = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert written == set(gs._HOMES) | set(CLASSES)
    assert all(getattr(gs, name) is not None for name in written if name)
