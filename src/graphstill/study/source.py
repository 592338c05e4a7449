"""A YAML file as a tree that remembers on which line each key stands, with `key=value` overrides on top."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from graphstill import plain_yaml
from graphstill.errors import ConfigError
from graphstill.plain_yaml import Place as Path_


class Source:
    """The tree, and where each of its values was written: a line of the file, or an override."""

    def __init__(self, tree: Any, name: str, lines: dict[Path_, int] | None = None) -> None:
        self.tree = tree
        self.name = name
        self._lines: dict[Path_, Any] = dict(lines or {})
        self._overrides: dict[Path_, Any] = {}

    @classmethod
    def read(cls, path: str | Path, overrides: Iterable[str] = ()) -> Source:
        """A file and its overrides. Raises ConfigError for a missing file, broken YAML, and keys that stand twice."""
        text = plain_yaml.read_text(path, "the recipe")
        return cls.parse(text, str(path), overrides)

    @classmethod
    def parse(cls, text: str, name: str = "recipe", overrides: Iterable[str] = ()) -> Source:
        """The same from text."""
        lines: dict[Path_, int] = {}
        tree = plain_yaml.load(text, name, lines)
        source = cls({} if tree is None else tree, name, lines)
        for override in overrides:
            source.override(override)
        return source

    def override(self, assignment: str) -> None:
        """Apply `dotted.path=value`; the value is read as YAML. Maps on the way are made, list positions must exist."""
        key, equals, text = assignment.partition("=")
        if not equals or not key or not all(key.split(".")):
            raise ConfigError(
                f"not an override: {plain_yaml.shown(assignment)}, on the command line. Write key=value, for instance "
                "training.lr=0.01."
            )
        if len(key.split(".")) > plain_yaml.DEEPEST:
            raise ConfigError(f"too many dots in override {plain_yaml.shown(assignment)}: no option is as deep")
        try:
            value = plain_yaml.load(text, f"override {plain_yaml.shown(assignment)}")
        except ConfigError as error:
            raise ConfigError(f"not a YAML value: {error} On a command line, quote it.") from error
        path = _assign(self.tree, key.split("."), value, assignment)
        for places in (self._overrides, self._lines):  # what stood there is gone, and so are its places
            for old in [place for place in places if place[: len(path)] == path]:
                del places[old]
        self._overrides[path] = assignment

    def where(self, path: Sequence[str | int]) -> str:
        """Where the value at `path` was written, or the nearest thing around it that was."""
        for end in range(len(path), -1, -1):
            prefix = tuple(path[:end])
            if prefix in self._overrides:
                return f"override {plain_yaml.shown(self._overrides[prefix])}"
            if prefix in self._lines:
                return f"{self.name}, line {self._lines[prefix]}"
        return self.name


def _assign(tree: Any, keys: Sequence[str], value: Any, assignment: str) -> Path_:
    path: list[str | int] = []
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        if isinstance(tree, list):
            if not key.isdigit() or int(key) >= len(tree):
                raise ConfigError(
                    f"{'.'.join(map(str, path))} has {len(tree)} entries, {key!r} is none of their positions, "
                    f"in override {assignment!r}. Count from 0."
                )
            position: str | int = int(key)
        elif isinstance(tree, dict):
            position = key
            if not last and isinstance(tree.get(key), str):
                tree[key] = {"name": tree[key]}  # the short form `student: gcn`
            if not last and tree.get(key) is None:
                tree[key] = {}
        else:
            raise ConfigError(
                f"{'.'.join(map(str, path))} is {plain_yaml.shown(tree)} and has nothing inside, in override "
                f"{assignment!r}. "
                f"Write {'.'.join(map(str, path))}=..."
            )
        path.append(position)
        if last:
            tree[position] = value
        else:
            tree = tree[position]
    return tuple(path)
