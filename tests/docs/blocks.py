"""The blocks of Python in README and docs, page by page, and what stands before them in a reader's session."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- not run: ([^\n]+?) -->\n+)?```python\n(.*?)```", re.DOTALL)

#: Declarations of names that pages take for granted, and how a test makes them.
GIVEN: dict[str, tuple[str, str]] = {
    "gs": ("import graphstill as gs", ""),
    "base64": ("import base64", ""),
    "httpx": ("import httpx", ""),
    "nn": ("from torch import nn", ""),
    "task": ("task: gs.NodeTask", "task = gs.datasets.load('digits')"),
    "student": ("student: gs.models.Model", "student = gs.models.GCN(hidden=64, layers=3)"),
    "teacher": ("teacher: gs.Run", "teacher = gs.train(gs.models.GCN(hidden=64, layers=3), task)"),
    "run": ("run: gs.Run", "run = gs.train(gs.models.GCN(hidden=8), task, seeds=2)"),
    "network": ("import torch\nnetwork: torch.nn.Module", "network = gs.train(gs.models.GCN(hidden=8), task).member()"),
    "my_pyg_data": (
        "from torch_geometric.data import Data\nmy_pyg_data: Data",
        "my_pyg_data = Data(x=task.x, edge_index=task.data.graph.edge_index(), y=task.y, train_mask=task.train_index, "
        "val_mask=task.val_index[:150], test_mask=task.val_index[150:])",
    ),
    "x": ("from numpy.typing import NDArray\nfrom typing import Any\nx: Any", "x = task.x.numpy()"),
    "edge_index": ("edge_index: NDArray[Any]", "edge_index = task.data.graph.edge_index().numpy()"),
    "y": ("y: NDArray[Any]", "y = task.y.numpy()"),
    "train": ("train: NDArray[Any]", "train = task.train_index.numpy()"),
    "val": ("val: NDArray[Any]", "val = task.val_index[:150].numpy()"),
    "test": ("test: NDArray[Any]", "test = task.val_index[150:].numpy()"),
    "new_x": ("new_x: NDArray[Any]", "new_x = x[:2]"),
    "new_edges": ("new_edges: NDArray[Any]", "new_edges = edge_index[:, :0]"),
    "images": ("images: NDArray[Any]", ""),
    "MyNet": ("class MyNet(nn.Module): ...", "MyNet = Conv1"),
    "my_trained_net": ("my_trained_net: nn.Module", "my_trained_net = Conv1()"),
}
#: What else a name's declaration needs.
WITH = {"task": "gs", "student": "gs", "teacher": "task", "run": "task", "network": "task", "my_trained_net": "nn"}
WITH |= {"edge_index": "x", "y": "x", "train": "x", "val": "x", "test": "x", "new_edges": "x", "new_x": "x"}
WITH |= {"x": "task", "my_pyg_data": "task", "MyNet": "nn", "images": "x"}


@dataclass(frozen=True)
class Page:
    """One file. Attributes: blocks: code and the reason why it is not run, or None."""

    name: str
    blocks: tuple[tuple[str, str | None], ...]

    @property
    def taken_for_granted(self) -> list[str]:
        """Names that are read before anything on the page sets them, with what they need, in the order of GIVEN."""
        wanted, made = set[str](), set(dir(__builtins__)) | set(dir(__import__("builtins")))
        for code, _ in self.blocks:
            for statement in ast.parse(code).body:
                names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
                local = {node.arg for node in ast.walk(statement) if isinstance(node, ast.arg)}
                for node in ast.walk(statement):
                    if isinstance(node, ast.comprehension):
                        local |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
                wanted |= {n.id for n in names if isinstance(n.ctx, ast.Load) and n.id not in made | local}
                made |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
                for node in ast.walk(statement):
                    if isinstance(node, ast.Import | ast.ImportFrom):
                        made |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
                    if isinstance(node, ast.ClassDef | ast.FunctionDef):
                        made.add(node.name)
        while more := {WITH[name] for name in wanted if name in WITH} - wanted:
            wanted |= more
        unknown = wanted - set(GIVEN)
        assert not unknown, f"{self.name} uses {sorted(unknown)}, which nothing on the page says: add it to GIVEN"
        return [name for name in GIVEN if name in wanted]


def pages() -> list[Page]:
    files = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = []
    for path in files:
        blocks = tuple((code, reason) for reason, code in BLOCK.findall(path.read_text(encoding="utf-8")))
        if blocks:
            found.append(Page(str(path.relative_to(ROOT)), tuple((c, r or None) for c, r in blocks)))
    return found
