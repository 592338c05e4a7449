"""One reader for YAML that comes from outside: plain values within bounds, and every error with its line."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from graphstill.errors import ConfigError

#: What no recipe, grid or list of published figures comes near.
MOST_BYTES, MOST_VALUES, DEEPEST = 512 * 1024, 50_000, 24
#: Whole numbers beyond are not exact everywhere (JSON readers, float64), and mean nothing here.
LARGEST = 2**53

Place = tuple[str | int, ...]  # keys and list positions from the root

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_FLOAT = r"^[-+]?(\.[0-9]+|[0-9]{1,400}(\.[0-9]*)?)([eE][-+]?[0-9]{1,9})?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"


class Loader(yaml.SafeLoader):
    """Numbers as YAML 1.2 has them: 5e-4 is one, 190:20:30 and 0b2 are text, and so are dates: no option is a date."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NUMBERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(_FLOAT), list("-+.0123456789"))
# First in the list: what both patterns fit is a whole number.
for _first in "-+0123456789":
    Loader.yaml_implicit_resolvers[_first].insert(0, ("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]{1,400}$")))


def _whole(loader: Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


Loader.add_constructor("tag:yaml.org,2002:int", _whole)


def read_text(path: str | Path, what: str) -> str:
    """The text of a file that is not too large. Raises ConfigError."""
    path = Path(path)
    try:
        if not path.is_file():
            reason = "it is no file" if path.exists() else "no such file"
            raise ConfigError(f"cannot read {what}: {reason}: {path}. Give the path of a YAML file.")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(
                f"cannot read {what}: it has more than {MOST_BYTES // 1024} KB: {path}. Is it another file?"
            )
        return content.decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"cannot read {what}: {error}: {path}. Give the path of a YAML file.") from error


def load(text: str, name: str, lines: dict[Place, int] | None = None) -> Any:
    """The plain value of a document: mappings with text for keys, lists, text, finite numbers, booleans, null.

    Args:
        name: of the document, for messages.
        lines: takes the line of every value by its place, where it is given.

    Raises:
        ConfigError: no YAML; anchors that are used again, tags, keys that are not text or stand twice; too many values,
            too deep, or numbers out of range: each with its line.
    """
    try:
        _within_bounds(text, name)
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _walk(node, (), {} if lines is None else lines, name)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"not valid YAML: {problem}: {name}{line}. Mend the file's syntax there.") from error


def shown(value: Any, most: int = 120) -> str:
    """A value in a message: its repr, cut short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; a list within itself
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _within_bounds(text: str, name: str) -> None:
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{name} has more than {MOST_BYTES // 1024} KB: that is no recipe. Shorten it.")
    depth = count = 0
    for event in yaml.parse(text, Loader):
        line = 0 if event.start_mark is None else event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"not valid YAML here: the alias *{event.anchor} in {name}, line {line}: write the value out where it "
                "is used."
            )
        if isinstance(event, yaml.NodeEvent) and (tag := getattr(event, "tag", None)) not in (None, "!"):
            raise ConfigError(
                f"not valid YAML here: the tag {tag!r} in {name}, line {line}: values are plain; leave it out."
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        count += isinstance(event, yaml.NodeEvent)
        if depth > DEEPEST:
            raise ConfigError(f"more than {DEEPEST} brackets or levels within each other in {name}, line {line}.")
        if count > MOST_VALUES:
            raise ConfigError(f"more than {MOST_VALUES} values in {name}, line {line}: shorten it.")


def _walk(node: yaml.Node, path: Place, lines: dict[Place, int], name: str) -> None:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                written = f" {key.value!r}" if isinstance(key, yaml.ScalarNode) else ""
                raise ConfigError(
                    f"a key{written} that is not text in {name}, line {key.start_mark.line + 1}: quote it."
                )
            inner = (*path, key.value)
            if inner in lines:  # YAML readers keep the last silently: half an experiment is then not what it says
                raise ConfigError(
                    f"the key {key.value!r} stands twice: {name}, lines {lines[inner]} and {key.start_mark.line + 1}. "
                    "Keep one."
                )
            lines[inner] = key.start_mark.line + 1
            _walk(value, inner, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            _walk(value, (*path, position), lines, name)
    elif not node.value.isascii() and node.value.encode("utf-8", "replace").decode() != node.value:
        raise ConfigError(f"half a character (a surrogate) in {name}, line {line}: write the text in UTF-8.")
    elif node.tag == "tag:yaml.org,2002:int" and (len(node.value) > 20 or abs(int(node.value)) > LARGEST):
        raise ConfigError(f"the number {shown(node.value, 40)} in {name}, line {line}: give one of at most 2**53.")
    elif node.tag == "tag:yaml.org,2002:float" and not _finite(node.value):
        raise ConfigError(f"the number {shown(node.value, 40)} in {name}, line {line}: give a finite one.")


def _finite(text: str) -> bool:
    """Whether a number as YAML writes it is one: not .inf, .nan, nor more than float64 holds."""
    return "n" not in text.lower() and math.isfinite(float(text))
