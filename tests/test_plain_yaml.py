"""YAML from outside: plain values, bounds, and one clear error for anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphstill.errors import ConfigError
from graphstill.plain_yaml import DEEPEST, MOST_BYTES, load, read_text, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 0.0005),
        (".5", 0.5),
        ("-3", -3),
        ("010", 10),
        ("0b2", "0b2"),
        ("190:20:30", "190:20:30"),
        ("2001-01-01", "2001-01-01"),
        ("1_000", "1_000"),
        ("yes", True),
        ("~", None),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("", None),
    ],
)
def test_values(text: str, value: object) -> None:
    found = load(text, "doc")
    assert found == value and type(found) is type(value)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"the alias \*a in doc, line 2"),
        ("a: &x [*x]", r"the alias \*x"),
        ("a: !!int abc", "the tag 'tag:yaml.org,2002:int' in doc, line 1"),
        ("\n? [a]\n: 1", "a key that is not text in doc, line 2"),
        ("1: 2", "a key '1' that is not text"),
        ("a: 1\nb:\n  c: 1\n  c: 2", "the key 'c' stands twice: doc, lines 3 and 4"),
        ("<<: {a: 1}", "a key '<<' that is not text"),
        ("a: .inf", "the number '.inf' in doc, line 1: give a finite one"),
        ("a: 1e999", "give a finite one"),
        (f"a: {2**53 + 1}", "at most 2"),
        ("a: " + "9" * 300, "at most 2"),
        ("[" * (DEEPEST + 1), "levels within each other in doc, line 1"),
        ("[" * 100_000, "levels within each other"),
        ("- 1\n" * 60_000, "values in doc, line"),
        ("# " + "x" * MOST_BYTES, "KB: that is no recipe"),
        ("a: b: c", "not valid YAML: .*: doc, line 1"),
        ("a: \x00", "not valid YAML"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ('a: "\\uD800"', "half a character"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        load(text, "doc")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    for name, message in {
        "large.yaml": "more than",
        "latin.yaml": "utf-8",
        "none": "no such file",
        ".": "is no file",
    }.items():
        with pytest.raises(ConfigError, match=message):
            read_text(tmp_path / name, "the recipe")


def test_values_in_messages_are_short() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    for value in ("x" * 10_000, 10**5000, nested, list(range(10_000))):
        assert len(shown(value)) < 200
