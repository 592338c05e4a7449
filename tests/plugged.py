"""Packages of other people: that of docs/plugin, built and unpacked, and a loose module."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

PLUGIN = Path(__file__).parents[1] / "docs" / "plugin"

LOOSE = '''
from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path
import torch
import graphstill as gs
from graphstill.method import Method, Step, View, register

class Network(torch.nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(inputs, hidden), torch.nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).relu())

@dataclass(frozen=True)
class Own(gs.models.OwnModel):
    """A network of our own."""
    defaults = {"lr": 0.02}
    taps = ["first"]
    hidden: int = 8

    def network(self, inputs: int, outputs: int) -> torch.nn.Module:
        return Network(inputs, self.hidden, outputs)

@register("flat")
@dataclass(frozen=True)
class Flat(Method):
    """Registered by its file, so known by two names."""
    power: float = 2.0

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, torch.Tensor]:
        return {"flat": s.logits.abs().pow(self.power).mean((1, 2))}

def few(root: Path | None = None, train: int = 4, seed: int = 0) -> gs.NodeTask:
    """Digits, few of them labelled."""
    return gs.datasets.load("digits", train=train, seed=seed)

def unsaid(train: int = 4):
    return few(train=train)

def other() -> gs.NodeTask:
    return 3

def broken() -> gs.NodeTask:
    return {}["nothing"]

class Thawed(Method):
    def loss(self, s: View, t: View | None, step: Step) -> dict[str, torch.Tensor]:
        return {}

@dataclass(frozen=True)
class Unfinished(Method):
    pass

number = 3
'''


def built(place: Path) -> Path:
    """The package of docs/plugin as it lies in an installation, its entry points with it."""
    shutil.copytree(PLUGIN, place / "source")
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(place)!r})"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=place / "source", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def named(place: Path, package: str, group: str, **entries: str) -> None:
    """An installed package that has these entry points and nothing else."""
    info = place / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[graphstill.{group}]", *lines, ""]))
