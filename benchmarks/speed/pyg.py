"""The baselines: networks and training steps as one writes them with PyG.

Cached normalisation, dense features, `F.dropout`, `torch.optim.Adam` with its defaults, one student after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from benchmarks.speed.case import Step
from torch import Tensor, nn
from torch_geometric.nn import GATConv, GCN2Conv, GCNConv, SAGEConv

from graphstill.data import NodeTask


class Network(nn.Module):
    """Convolutions with an activation and dropout between them; returns logits and hidden layers before activation."""

    def __init__(
        self, convs: Sequence[nn.Module], dropout: float, activation: Callable[[Tensor], Tensor] = F.relu
    ) -> None:
        super().__init__()
        self.convs, self.dropout, self.activation = nn.ModuleList(convs), dropout, activation

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, list[Tensor]]:
        hidden = []
        for i, conv in enumerate(self.convs):
            if i:
                hidden.append(x)
                x = self.activation(x)
            x = conv(F.dropout(x, self.dropout, self.training), edge_index)
        return x, hidden


class DeepNetwork(nn.Module):
    """GCNII."""

    def __init__(self, inputs: int, width: int, layers: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.first, self.last, self.dropout = nn.Linear(inputs, width), nn.Linear(width, outputs), dropout
        self.convs = nn.ModuleList(GCN2Conv(width, 0.1, 0.5, i + 1, cached=True) for i in range(layers))

    def forward(self, x: Tensor, edge_index: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = x_0 = self.first(F.dropout(x, self.dropout, self.training)).relu()
        for conv in self.convs:
            x = conv(F.dropout(x, self.dropout, self.training), x_0, edge_index).relu()
        return self.last(F.dropout(x, self.dropout, self.training)), [x]


def gcn(inputs: int, width: int, outputs: int, dropout: float = 0.5) -> Network:
    return Network([GCNConv(inputs, width, cached=True), GCNConv(width, outputs, cached=True)], dropout)


def sage(inputs: int, width: int, outputs: int, dropout: float = 0.5) -> Network:
    return Network([SAGEConv(inputs, width), SAGEConv(width, outputs)], dropout)


def gat(
    inputs: int, width: int, heads: int, outputs: int, layers: int = 2, out_heads: int = 1, dropout: float = 0.6
) -> Network:
    convs, now = [], inputs
    for _ in range(layers - 1):
        convs.append(GATConv(now, width, heads, dropout=dropout))
        now = width * heads
    convs.append(GATConv(now, outputs, out_heads, concat=False, dropout=dropout))
    return Network(convs, dropout, F.elu)


class Data:
    """A task as PyG's users hold it."""

    def __init__(self, task: NodeTask) -> None:
        batch = task.training_batches(0)[0]
        self.x = batch.x if isinstance(batch.x, Tensor) else batch.x.to_dense()
        self.edges, self.y = batch.graph.edge_index(), batch.y
        self.train, self.val = batch.train_rows, batch.val_rows
        self.multi_label = task.multi_label

    def loss(self, logits: Tensor) -> Tensor:
        rows, y = logits[self.train], self.y[self.train]
        return F.binary_cross_entropy_with_logits(rows, y) if self.multi_label else F.cross_entropy(rows, y)

    def score(self, logits: Tensor) -> float:
        found, y = logits[self.val], self.y[self.val]
        right = ((found > 0) == y.bool()) if self.multi_label else found.argmax(-1) == y
        return float(right.float().mean().item())


def training_step(
    data: Data,
    students: Sequence[nn.Module],
    validate: bool = False,
    extra: Callable[[list[Tensor], list[list[Tensor]]], Tensor] | None = None,
    before: Callable[[list[list[Tensor]]], None] | None = None,
) -> Step:
    """One step of every student, one forward and one backward pass each.

    `extra` adds a loss from logits and hidden layers of all students; `before` is called with the hidden layers first.
    """
    optimizer = torch.optim.Adam([p for s in students for p in s.parameters()], lr=0.005, weight_decay=5e-4)

    def step() -> None:
        outputs = [s.train()(data.x, data.edges) for s in students]
        logits, hidden = [o[0] for o in outputs], [o[1] for o in outputs]
        if before is not None:
            before(hidden)
        total = torch.stack([data.loss(z) for z in logits]).sum()
        if extra is not None:
            total = total + extra(logits, hidden)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        if validate:
            evaluate(data, students)

    return step


@torch.no_grad()
def evaluate(data: Data, students: Sequence[nn.Module]) -> list[float]:
    return [data.score(s.eval()(data.x, data.edges)[0]) for s in students]


def oad_step(data: Data, students: Sequence[Network], width: int, temperature: float = 3.0) -> Step:
    """Online adversarial distillation in groups of four: soft targets of the others, a ring of discriminators."""
    critics = [GCNConv(width, 1, cached=True) for _ in students]
    others = [torch.optim.Adam(c.parameters(), lr=0.005) for c in critics]
    one, zero = torch.ones(len(data.x), 1), torch.zeros(len(data.x), 1)
    bce = F.binary_cross_entropy_with_logits

    def left(i: int) -> int:
        return i - i % 4 + (i - 1) % 4

    def judge(hidden: list[list[Tensor]]) -> None:
        for i, (critic, other) in enumerate(zip(critics, others, strict=True)):
            real, fake = hidden[i][-1].detach(), hidden[left(i)][-1].detach()
            loss = bce(critic(real, data.edges), one) + bce(critic(fake, data.edges), zero)
            other.zero_grad()
            loss.backward()
            other.step()

    def distil(logits: list[Tensor], hidden: list[list[Tensor]]) -> Tensor:
        total = logits[0].new_zeros(())
        for i, critic in enumerate(critics):
            group = range(i - i % 4, i - i % 4 + 4)
            target = torch.stack([logits[j].detach() for j in group if j != i]).mean(0)
            p, q = (logits[i] / temperature).log_softmax(-1), (target / temperature).softmax(-1)
            total = total + temperature**2 * F.kl_div(p, q, reduction="batchmean")
            total = total + 0.01 * bce(critic(hidden[left(i)][-1], data.edges), one)
        return total

    return training_step(data, students, extra=distil, before=judge)
