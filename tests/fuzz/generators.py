"""Malformed inputs, drawn by a seed: recipes, overrides, `.npz` files."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

RECIPE = """name: fuzz
task: {name: digits}
teacher: {model: {name: gcn, hidden: 4}, training: {epochs: 1}}
student: {name: gcn, hidden: 2, dropout: 0.5}
method: [{name: kd, temperature: 2.0, weight: 1.0}, {name: lsp, weight: 0.1}]
training: {epochs: 1, lr: 0.01}
seeds: 1
"""
VALUES = [
    *(
        "null",
        "true",
        "''",
        "[]",
        "{}",
        "-1",
        "0",
        "1e999",
        ".nan",
        ".inf",
        "1" * 400,
        "2" * 5000,
        "9223372036854775808",
    ),
    *("-9223372036854775809", "!!int abc", "!!python/object:os.system x", "*a", "&a [*a]", "[[[[1]]]]", "{a: {b: 1}}"),
    *("1e9", "1000000000", "190:20:30", "0x10", "2001-01-01", "'\\0'", "é", "[1, 2, 3]", "{1: 2}", "? [a]", "abc"),
    *("'../../etc/passwd'", "[" * 60, "{" * 60, "- 1", "a: b: c", "%", "@", "`", "|", ">", "!", "'", '"'),
]
KEYS = [
    *(
        "name",
        "task",
        "task.name",
        "task.split",
        "task.seed",
        "task.train",
        "task.inductive",
        "task.k",
        "task.normalize",
    ),
    *("task.edges_removed", "task.positions", "task.walk_roots", "task.metric", "task.batch_graphs", "teacher"),
    *(
        "teacher.model",
        "teacher.model.name",
        "teacher.model.layers",
        "teacher.seeds",
        "teacher.run",
        "teacher.ensemble",
    ),
    *("student", "student.name", "student.hidden", "student.layers", "student.dropout", "student.nothing", "method"),
    *("method.0", "method.0.name", "method.0.temperature", "method.0.weight", "method.1.kernel", "method.7.weight"),
    *("training", "training.epochs", "training.lr", "training.weight_decay", "training.patience", "training.select_by"),
    *(
        "training.checkpoint_seconds",
        "training.lr_steps",
        "training.warmup",
        "training.optimizer",
        "training.precision",
    ),
    *(
        "seeds",
        "peers",
        "baseline",
        "baseline_training",
        "baseline_student",
        "baseline_student.hidden",
        "start",
        "nope",
    ),
    *("start.run", "a.b.c.d", ".", "..", "", "peers.x", "seeds.0"),
]


@dataclass(frozen=True)
class Case:
    """One input: a kind, what it is, and a function that puts it into a folder and returns its path or text."""

    kind: str
    what: str
    make: Callable[[Path], Any]


def recipes(rng: random.Random) -> Iterator[Case]:
    """A recipe's text with some of it replaced, cut, doubled or nested, and overrides."""
    while True:
        how = rng.choice(["override", "override", "value", "cut", "noise", "line"])
        key, value = rng.choice(KEYS), rng.choice(VALUES)
        if how == "override":
            yield Case("override", f"{key}={value[:40]}", lambda _, o=f"{key}={value}": (RECIPE, [o]))
            continue
        text = RECIPE
        if how == "value":
            name = key.split(".")[-1] or "name"
            text = text.replace(f"{name}: ", f"{name}: {value} #", 1)
        elif how == "cut":
            text = text[: rng.randrange(len(text))]
        elif how == "noise":
            place = rng.randrange(len(text))
            text = text[:place] + chr(rng.choice([0, 9, 34, 39, 58, 91, 123, 0xE9, 0xFFFF])) + text[place + 1 :]
        else:
            text += f"{key or 'x'}: {value}\n"
        yield Case("recipe", f"{how} {key} {value[:40]}", lambda _, t=text: (t, []))


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x": rng.normal(size=(12, 3)).astype("f4"),
        "edge_index": rng.integers(0, 12, (2, 30)),
        "y": np.arange(12) % 2,
        "train_idx": np.arange(4),
        "val_idx": np.arange(4, 8),
        "test_idx": np.arange(8, 12),
    }


def odd_arrays(r: np.random.Generator) -> list[Any]:
    """What an array can be that it should not."""
    classes = [1, -1, 10**30, float("inf"), "two", None][r.integers(6)]
    return [
        np.array(r.integers(-3, 10**12)),
        r.normal(size=r.integers(0, 6, r.integers(1, 5))),
        np.full(12, np.nan),
        np.full((12, 3), np.inf),
        np.array(["a"] * 12),
        np.zeros((0, 3)),
        np.arange(12) * 10 ** r.integers(1, 18),
        np.arange(12, dtype="complex64"),
        np.arange(13),
        np.array([0, 5, 3, 12]),
        np.zeros(12, "datetime64[s]"),
        np.eye(12, 3),
        np.zeros((2, 4), bool),
        np.array(json.dumps({"num_classes": classes})),
        np.array("[" * 5000),
    ]


def node_files(rng: random.Random) -> Iterator[Case]:
    """An `.npz` with arrays replaced, members forged, bytes flipped, or cut short."""
    names = [*arrays(), "graph_ptr", "split", "meta", "x_data", "x_shape", "train_masks", "num_classes", "edge_weight"]
    while True:
        seed = rng.randrange(2**31)
        how = rng.choice(["array", "array", "array", "flip", "cut", "forge", "bomb", "method"])
        yield Case("npz", f"{how} {seed}", lambda folder, s=seed, h=how: _node_file(folder / "data.npz", s, h, names))


def _node_file(path: Path, seed: int, how: str, names: list[str]) -> Path:
    rng, own = random.Random(seed), np.random.default_rng(seed)
    found: dict[str, Any] = dict(arrays())
    if how == "array":
        for _ in range(rng.choice([1, 1, 2])):
            name = rng.choice(names)
            found[name] = rng.choice(odd_arrays(own))
            if rng.random() < 0.3:
                found.pop(rng.choice(list(found)))
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(
        path, "w", method if how != "method" else rng.choice([zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
    ) as z:
        for name, array in found.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            content = buffer.getvalue()
            if how == "forge" and rng.random() < 0.4:
                content = _forged(content, rng)
            z.writestr(f"{name}.npy", content)
        if how == "bomb":
            z.writestr(zipfile.ZipInfo("x.npy" if rng.random() < 0.5 else "other.npy"), b"\0" * 2**20)
    content = bytearray(path.read_bytes())
    if how == "flip":
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del content[rng.randrange(len(content)) :]
    path.write_bytes(bytes(content))
    return path


def _forged(content: bytes, rng: random.Random) -> bytes:
    """A header that lies: another shape or type of the same length."""
    for old, new in rng.sample(
        [
            (b"(12,", b"(99,"),
            (b"(2, 30)", b"(2, -3)"),
            (b"<f4", b"|O8"),
            (b"<i8", b"|V8"),
            (b"(12, 3)", b"(9**9,)"),
            (b"{'descr'", b"{['desc'"),
            (b"False", b"1+1j,"),
        ],
        3,
    ):
        content = content.replace(old, new.ljust(len(old))[: len(old)], 1)
    return content
