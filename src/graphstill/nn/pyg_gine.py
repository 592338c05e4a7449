"""A member of a GINE cohort in standard PyG layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.pyg import batch_norm, linear


class PyGGINE(nn.Module):
    """``forward(x, edge_index, batch=None, edge_attr=None)`` with ``GINEConv`` and global pooling; evaluates at first.

    Edges with codes are given as they are in training, int64 ``[edges, columns]``; without features of edges the layers
    are ``GINConv``.
    """

    def __init__(self, cohort: Any, i: int) -> None:
        from torch_geometric.nn import GINConv, GINEConv

        super().__init__()
        spec = cohort.spec
        self.layers, self.dropout, self.residual, self.how = spec.layers, spec.dropout, spec.residual, spec.readout
        self.codes = spec.edge_codes
        self.first = nn.Parameter(cohort.first.weight[i].detach().clone())
        self.convs, self.edges = nn.ModuleList(), nn.ModuleList()
        for layer in cohort.convs:
            kind = GINConv if layer.edges.weight is None else GINEConv
            conv = kind(nn.Sequential(), eps=layer.eps[i].item(), train_eps=True)
            conv.nn = nn.Sequential(
                linear(layer.first, i), batch_norm(layer.norm, i), nn.ReLU(), linear(layer.second, i)
            )
            self.convs.append(conv)
            self.edges.append(nn.Identity() if layer.edges.weight is None else _embedding(layer.edges, i))
        self.norms = nn.ModuleList(batch_norm(norm, i) for norm in cohort.norms)
        self.virtual = None if cohort.virtual is None else nn.Parameter(cohort.virtual.weight[i].detach().clone())
        self.updates = nn.ModuleList(_update(update, i) for update in cohort.updates)
        self.gate = None if cohort.pool is None or cohort.pool.gate is None else linear(cohort.pool.gate, i)
        self.head = linear(cohort.head, i)
        self.eval()

    def forward(
        self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None, edge_attr: Tensor | None = None
    ) -> Tensor:
        from torch_geometric.nn import global_add_pool

        batch = torch.zeros(len(x), dtype=torch.int64, device=x.device) if batch is None else batch
        h = x @ self.first
        graphs = int(batch[-1]) + 1
        virtual = None if self.virtual is None else self.virtual.expand(graphs, -1)
        for number, (conv, edges, norm) in enumerate(zip(self.convs, self.edges, self.norms, strict=True)):
            if virtual is not None:
                h = h + virtual[batch]
            read = () if isinstance(edges, nn.Identity) else (edges(self._ones(edge_attr)),)
            out = norm(conv(h, edge_index, *read))
            out = out if number == self.layers - 1 else out.relu()
            if virtual is not None and number < self.layers - 1:
                inner = self.updates[number](global_add_pool(h, batch) + virtual)
                virtual = F.dropout(inner, self.dropout, self.training)
            out = F.dropout(out, self.dropout, self.training)
            h = out + h if self.residual else out
        result: Tensor = self.head(h if self.how is None else self._pooled(h, batch))
        return result

    def _ones(self, edge_attr: Tensor | None) -> Tensor:
        assert edge_attr is not None
        if self.codes is None:
            return edge_attr
        return torch.cat([F.one_hot(edge_attr[:, c], count) for c, count in enumerate(self.codes)], 1).float()

    def _pooled(self, h: Tensor, batch: Tensor) -> Tensor:
        from torch_geometric.nn import global_add_pool, global_max_pool, global_mean_pool
        from torch_geometric.utils import softmax

        pools = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}
        if self.gate is not None:
            h = softmax(self.gate(h), batch) * h
        pooled: Tensor = pools.get(self.how or "sum", global_add_pool)(h, batch)
        return pooled


def _embedding(edges: Any, i: int) -> nn.Linear:
    inputs, outputs = edges.weight.shape[1:]
    layer = nn.Linear(inputs, outputs, bias=edges.bias is not None).to(edges.weight)
    with torch.no_grad():
        layer.weight.copy_(edges.weight[i].t())
        if edges.bias is not None:
            layer.bias.copy_(edges.bias[i])
    return layer


def _update(update: Any, i: int) -> nn.Sequential:
    parts: Sequence[nn.Module] = [
        linear(update.first, i),
        batch_norm(update.norm, i),
        nn.ReLU(),
        linear(update.second, i),
        batch_norm(update.last, i),
        nn.ReLU(),
    ]
    return nn.Sequential(*parts)
