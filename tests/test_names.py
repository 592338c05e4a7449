"""Public names: written out for type checkers, complete, and each of a type."""

from __future__ import annotations

import ast
from pathlib import Path

from tools import names

import graphstill as gs
from graphstill.methods import CLASSES
from tests.strictly import checked


def test_lists_are_complete() -> None:
    for path in names.FILES:
        assert names.written(path) == sorted(names.wanted()), f"a method is missing in {path}: run make format"


def test_every_public_name_is_imported_for_type_checkers() -> None:
    tree = ast.parse((names.PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If) and len(node.body) > 10]
    written = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert written == set(gs._HOMES) | set(CLASSES)
    assert all(getattr(gs, name) is not None for name in written if name)


def test_a_type_checker_knows_each_of_them(tmp_path: Path) -> None:
    """And says so where an option is misspelt."""
    public = sorted(set(gs._HOMES) | set(CLASSES))
    wanted = [f"gs.{name}" for name in public]
    wanted += [f"gs.models.{name}" for name in gs.models.__all__] + [f"gs.losses.{name}" for name in gs.losses.__all__]
    lines = ["import graphstill as gs", *(f"reveal_type({name})" for name in wanted), "gs.KD(temprature=4.0)"]
    (tmp_path / "names.py").write_text("\n".join([*lines, "gs.models.GCN(hidden='16')", ""]), encoding="utf-8")
    told = checked(tmp_path).stdout.splitlines()
    shown = [line.partition("Revealed type is ")[2].strip('"') for line in told if "Revealed type is" in line]
    assert len(shown) == len(wanted)
    assert not [name for name, kind in zip(wanted, shown, strict=True) if kind in ("Any", "builtins.object")]
    errors = [line.partition("error: ")[2] for line in told if "error: " in line]
    assert len(errors) == 2 and errors[0].startswith('Unexpected keyword argument "temprature" for "KD"')
    assert 'expected "int"' in errors[1]
