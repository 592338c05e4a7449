"""A YAML file as a tree that remembers on which line each key stands, with `key=value` overrides on top."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from graphstill.errors import ConfigError

Path_ = tuple[str | int, ...]  # keys and list positions from the root


class Loader(yaml.SafeLoader):
    """YAML 1.2's reading of numbers: PyYAML takes `5e-4` for text. Dates stay text: no option is a date."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$"),
    list("-+.0123456789"),
)


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
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = "no such file" if isinstance(error, FileNotFoundError) else str(error)
            raise ConfigError(f"cannot read the recipe: {reason}: {path}. Give the path of a YAML file.") from error
        return cls.parse(text, str(path), overrides)

    @classmethod
    def parse(cls, text: str, name: str = "recipe", overrides: Iterable[str] = ()) -> Source:
        """The same from text."""
        lines: dict[Path_, int] = {}
        try:
            tree = _build(text, name, lines)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark is not None else ""
            problem = getattr(error, "problem", None) or str(error)
            raise ConfigError(f"not valid YAML: {problem}: {name}{line}. Mend the file's syntax there.") from error
        source = cls({} if tree is None else tree, name, lines)
        for override in overrides:
            source.override(override)
        return source

    def override(self, assignment: str) -> None:
        """Apply `dotted.path=value`; the value is read as YAML. Maps on the way are made, list positions must exist."""
        key, equals, text = assignment.partition("=")
        if not equals or not key or not all(key.split(".")):
            raise ConfigError(
                f"not an override: {assignment!r}, on the command line. Write key=value, for instance training.lr=0.01."
            )
        try:
            value = yaml.load(text, Loader)
        except yaml.YAMLError as error:
            raise ConfigError(f"not a YAML value: {text!r}, in override {assignment!r}. Quote it.") from error
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
                return f"override {self._overrides[prefix]!r}"
            if prefix in self._lines:
                return f"{self.name}, line {self._lines[prefix]}"
        return self.name


def _build(text: str, name: str, lines: dict[Path_, int]) -> Any:
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _note_lines(node, (), lines, name)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _note_lines(node: yaml.Node, path: Path_, lines: dict[Path_, int], name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, key.value)
            if inner in lines:  # YAML readers keep the last silently: half an experiment is then not what it says
                raise ConfigError(
                    f"the key {key.value!r} stands twice: {name}, lines {lines[inner]} and {key.start_mark.line + 1}. "
                    "Keep one."
                )
            lines[inner] = key.start_mark.line + 1
            _note_lines(value, inner, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _note_lines(value, (*path, position), lines, name)


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
                f"{'.'.join(map(str, path))} is {tree!r} and has nothing inside, in override {assignment!r}. "
                f"Write {'.'.join(map(str, path))}=..."
            )
        path.append(position)
        if last:
            tree[position] = value
        else:
            tree = tree[position]
    return tuple(path)
