"""CPU time of one training epoch with its evaluation, against idiomatic PyG; one process, interleaved, medians.

    python benchmarks/epochs.py            (Cora, one thread)

The baselines are what one would write with PyG: modules with cached normalisation, dense features, `F.dropout`, Adam,
one student after another, a forward pass for training and one for evaluation in each epoch. Both sides run under the
same allocator settings, and once more under the default ones. Writes benchmarks/results/speed/epochs.json.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from graphstill import datasets
from graphstill.allocator import recycle_large_buffers
from graphstill.data import Batch
from graphstill.engine import Training, distill
from graphstill.environment import environment
from graphstill.methods import OAD, Independent, Method
from graphstill.nn import GCN

ROUNDS, EPOCHS = 7, 20
#: Case: student, method, peers, seeds.
CASES: dict[str, tuple[GCN, Method, int, int]] = {
    "GCN-64, dropout 0.5": (GCN(hidden=64, dropout=0.5), Independent(), 1, 1),
    "GCN-16 x 8 seeds, dropout 0.5": (GCN(hidden=16, dropout=0.5), Independent(), 1, 8),
    "OAD, GCN-16 x 4, no dropout": (GCN(hidden=16, dropout=0.0), OAD(temperature=3.0), 4, 1),
}


class Student(nn.Module):
    """Two GCN layers, returning logits and the hidden features before the activation."""

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.first, self.second = GCNConv(inputs, hidden, cached=True), GCNConv(hidden, outputs, cached=True)
        self.dropout = dropout

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        h = self.first(F.dropout(x, self.dropout, self.training), edge_index)
        return self.second(F.dropout(h.relu(), self.dropout, self.training), edge_index), h


def pyg_epoch(model: GCN, members: int, online: bool, batch: Batch, outputs: int) -> Callable[[], None]:
    """One epoch in PyG: `members` students, one after another; with OAD's losses where `online`."""
    assert not isinstance(batch.x, Tensor)
    x, edges, y, train, val = batch.x.to_dense(), batch.graph.edge_index(), batch.y, batch.train_rows, batch.val_rows
    students = [Student(x.shape[1], model.hidden, outputs, model.dropout) for _ in range(members)]
    critics = [GCNConv(model.hidden, 1, cached=True) for _ in range(members if online else 0)]
    optimizer = torch.optim.Adam([p for s in students for p in s.parameters()], lr=0.005, weight_decay=5e-4)
    others = [torch.optim.Adam(c.parameters(), lr=0.005) for c in critics]
    one, zero = torch.ones(len(x), 1), torch.zeros(len(x), 1)
    bce = F.binary_cross_entropy_with_logits

    def epoch() -> None:
        logits, hidden = zip(*(s.train()(x, edges) for s in students), strict=True)
        for i, (critic, other) in enumerate(zip(critics, others, strict=True)):
            loss = bce(critic(hidden[i].detach(), edges), one) + bce(critic(hidden[i - 1].detach(), edges), zero)
            other.zero_grad()
            loss.backward()
            other.step()
        total = torch.stack([F.cross_entropy(z[train], y[train]) for z in logits]).sum()
        for i, critic in enumerate(critics):
            target = torch.stack([z.detach() for j, z in enumerate(logits) if j != i]).mean(0)
            p, q = (logits[i] / 3).log_softmax(-1), (target / 3).softmax(-1)
            total = total + 9 * F.kl_div(p, q, reduction="batchmean") + 0.01 * bce(critic(hidden[i - 1], edges), one)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        with torch.no_grad():
            for student in students:
                (student.eval()(x, edges)[0][val].argmax(-1) == y[val]).float().mean().item()

    return epoch


def cpu_seconds(f: Callable[[], object]) -> float:
    start = time.process_time()
    f()
    return time.process_time() - start


def measure(recycle: bool) -> list[dict[str, Any]]:
    """Every case in this process."""
    torch.set_num_threads(1)
    if recycle:
        recycle_large_buffers()
    task = datasets.load("cora")
    found = []
    for case, (model, method, peers, seeds) in CASES.items():
        theirs = pyg_epoch(model, peers * seeds, peers > 1, task.full_batch(), task.num_outputs)

        def ours(model: GCN = model, method: Method = method, peers: int = peers, seeds: int = seeds) -> float:
            training = Training(epochs=EPOCHS, lr=0.005, weight_decay=5e-4)
            run = distill(model, task, method=method, peers=peers, seeds=seeds, training=training, open_test=False)
            return float(run.result["cost"]["cpu_seconds"]) / EPOCHS

        ours(), theirs()
        rounds = [(ours(), cpu_seconds(theirs)) for _ in range(ROUNDS)]
        mine, pyg = (statistics.median(column) for column in zip(*rounds, strict=True))
        found.append(
            {"case": case, "recycled": recycle, "graphstill": mine, "pyg": pyg, "ratio": pyg / mine, "rounds": rounds}
        )
    return found


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1] == "recycled")))
        return
    # The allocator's settings belong to a process: one for each.
    both = [
        json.loads(subprocess.run([sys.executable, __file__, way], check=True, capture_output=True, text=True).stdout)
        for way in ("default", "recycled")
    ]
    cases = [case for way in both for case in way]
    for c in cases:
        way = "recycled buffers" if c["recycled"] else "default allocator"
        times = f"graphstill {c['graphstill'] * 1e3:.1f} ms, PyG {c['pyg'] * 1e3:.1f} ms CPU an epoch"
        print(f"{c['case']}, {way}: {times}: {c['ratio']:.1f} times")
    path = Path(__file__).parent / "results" / "speed" / "epochs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"unit": "CPU seconds an epoch", "cases": cases, "environment": environment()}) + "\n")


if __name__ == "__main__":
    main()
