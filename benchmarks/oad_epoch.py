"""CPU time of one OAD epoch with evaluation, against the same group in idiomatic PyG; one process, interleaved.

    python benchmarks/oad_epoch.py            (Cora; four GCN students of width 16 without dropout; one thread)

The baseline is what one would write with PyG: four GCN modules with cached normalisation, dense features, four
discriminators, the same losses, a forward pass each for training and for evaluation. Writes
benchmarks/results/speed/oad_epoch.json.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from graphstill import datasets
from graphstill.allocator import recycle_large_buffers
from graphstill.engine import Training, distill
from graphstill.environment import environment
from graphstill.methods import OAD
from graphstill.nn import GCN

PEERS, HIDDEN, ROUNDS, EPOCHS = 4, 16, 7, 20


class Student(nn.Module):
    """Two GCN layers, returning logits and the hidden features before the activation."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = GCNConv(inputs, HIDDEN, cached=True), GCNConv(HIDDEN, outputs, cached=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, Tensor]:
        h = self.first(x, edge_index)
        return self.second(h.relu(), edge_index), h


def pyg_group(x: Tensor, edges: Tensor, y: Tensor, train: Tensor, val: Tensor, outputs: int) -> Callable[[], None]:
    """One epoch of OAD with its evaluation, student after student."""
    students = [Student(x.shape[1], outputs) for _ in range(PEERS)]
    critics = [GCNConv(HIDDEN, 1, cached=True) for _ in range(PEERS)]
    optimizer = torch.optim.Adam([p for s in students for p in s.parameters()], lr=0.005, weight_decay=5e-4)
    others = [torch.optim.Adam(c.parameters(), lr=0.005) for c in critics]
    one, zero = torch.ones(len(x), 1), torch.zeros(len(x), 1)
    bce = F.binary_cross_entropy_with_logits

    def epoch() -> None:
        logits, hidden = zip(*(s(x, edges) for s in students), strict=True)
        for i, (critic, other) in enumerate(zip(critics, others, strict=True)):
            loss = bce(critic(hidden[i].detach(), edges), one) + bce(critic(hidden[i - 1].detach(), edges), zero)
            other.zero_grad()
            loss.backward()
            other.step()
        total = torch.zeros(())
        for i in range(PEERS):
            target = (sum(logits).detach() - logits[i].detach()) / (PEERS - 1)  # type: ignore[arg-type]
            p, q = (logits[i] / 3).log_softmax(-1), (target / 3).softmax(-1)
            total = total + F.cross_entropy(logits[i][train], y[train]) + 9 * F.kl_div(p, q, reduction="batchmean")
            total = total + 0.1 * bce(critics[i](hidden[i - 1], edges), one)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        with torch.no_grad():
            for student in students:
                (student(x, edges)[0][val].argmax(-1) == y[val]).float().mean().item()

    return epoch


def cpu_seconds(f: Callable[[], object]) -> float:
    start = time.process_time()
    f()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    recycle_large_buffers()
    task = datasets.load("cora")
    batch = task.full_batch()
    dense, edges = batch.x.to_dense(), batch.graph.edge_index()
    theirs = pyg_group(dense, edges, batch.y, batch.train_rows, batch.val_rows, task.num_outputs)
    model = GCN(hidden=HIDDEN, dropout=0.0)
    method = OAD(temperature=3.0, global_weight=1.0, local_weight=0.1)

    def ours() -> float:
        training = Training(epochs=EPOCHS, lr=0.005, weight_decay=5e-4)
        run = distill(model, task, method=method, peers=PEERS, training=training, open_test=False)
        return float(run.result["cost"]["cpu_seconds"]) / EPOCHS

    ours(), theirs()
    rows = [(ours(), cpu_seconds(lambda: [theirs() for _ in range(3)]) / 3) for _ in range(ROUNDS)]
    mine, pyg = (statistics.median(column) for column in zip(*rows, strict=True))
    result = {
        "case": "OAD epoch with evaluation, Cora, GCN-16 x 4, one thread",
        "graphstill_cpu_seconds": mine,
        "pyg_cpu_seconds": pyg,
        "ratio": pyg / mine,
        "rounds": rows,
        "environment": environment(),
    }
    path = Path(__file__).parent / "results" / "speed" / "oad_epoch.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"graphstill {mine * 1e3:.1f} ms, PyG {pyg * 1e3:.1f} ms CPU an epoch: {pyg / mine:.1f} times")


if __name__ == "__main__":
    main()
