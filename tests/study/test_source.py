"""YAML with lines and overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphstill.errors import ConfigError
from graphstill.study.source import Source

TEXT = """\
name: kd
student:
  name: gcn
  hidden: 64
method:
  - name: kd
    temperature: 4
  - {name: lsp, weight: 0.1}
"""


def test_lines_of_keys_and_entries() -> None:
    source = Source.parse(TEXT, "a.yaml")
    assert source.where(("student", "hidden")) == "a.yaml, line 4"
    assert source.where(("method", 1, "weight")) == "a.yaml, line 8"
    assert source.where(("student", "missing")) == "a.yaml, line 2"  # the nearest thing around it
    assert source.where(("missing",)) == "a.yaml, line 1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-4", 5e-4),
        ("1e3", 1e3),
        ("-2.5E+1", -25.0),
        ("0.5", 0.5),
        ("7", 7),
        ("2024-01-01", "2024-01-01"),
        ("e5", "e5"),
        ("1e", "1e"),
        ("[1, 2e-1]", [1, 0.2]),
        ("{a: null}", {"a": None}),
        ("", None),
    ],
)
def test_values_are_read_as_people_mean_them(text: str, value: object) -> None:
    found = Source({}, "x")
    found.override(f"key={text}")
    assert found.tree["key"] == value
    assert type(found.tree["key"]) is type(value)


def test_overrides_beat_the_file_and_are_named_as_the_place() -> None:
    source = Source.parse(TEXT, "a.yaml", ["student.hidden=16", "method.0.temperature=2", "training.lr=1e-3"])
    assert source.tree["student"] == {"name": "gcn", "hidden": 16}
    assert source.tree["method"][0]["temperature"] == 2
    assert source.tree["training"] == {"lr": 1e-3}
    assert source.where(("student", "hidden")) == "override 'student.hidden=16'"
    assert source.where(("student", "name")) == "a.yaml, line 3"


def test_the_last_override_wins_and_a_whole_section_can_be_replaced() -> None:
    source = Source.parse(TEXT, overrides=["student.hidden=1", "student=gat", "student.heads=2"])
    assert source.tree["student"] == {"name": "gat", "heads": 2}
    assert source.where(("student", "name")) == "override 'student=gat'"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("student", "not an override"),
        ("=3", "not an override"),
        ("a..b=3", "not an override"),
        ("method.2.name=kd", "2 entries"),
        ("method.last.name=kd", "2 entries"),
        ("student.hidden.more=3", "student.hidden is 64 and has nothing inside"),
        ("student.hidden=[1", "not a YAML value"),
    ],
)
def test_overrides_that_cannot_be_meant(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Source.parse(TEXT, overrides=[override])


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    with pytest.raises(ConfigError, match="'hidden' stands twice: r, lines 2 and 4"):
        Source.parse("student:\n  hidden: 1\n  name: gcn\n  hidden: 2\n", "r")


def test_broken_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        Source.read(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: 1\nb: [1,\n")
    with pytest.raises(ConfigError, match=r"not valid YAML.*bad\.yaml, line 3"):
        Source.read(tmp_path / "bad.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(ConfigError, match="cannot read"):
        Source.read(tmp_path / "latin.yaml")


def test_no_code_is_run_by_a_recipe() -> None:
    with pytest.raises(ConfigError, match="not valid YAML"):
        Source.parse("a: !!python/object/apply:os.system ['true']")
