"""From stacked weights to standard PyG layers. PyG is imported when a conversion asks for it: it takes seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.activations import Activation
from graphstill.nn.attention_conv import GATConv
from graphstill.nn.convs import GCN2Conv, GCNConv, GINConv, SAGEConv
from graphstill.nn.layers import BatchNorm, Linear

Part = TypeVar("Part", bound=nn.Module)


class PyGStack(nn.Module):
    """Layers with an activation and dropout between them: PyG convolutions, plain linear layers, batch normalisation.

    ``forward(x, edge_index) -> logits``. A member in evaluation computes the same; the stack starts in evaluation mode.
    DropEdge, which acts in training only, is not part of it.
    """

    def __init__(
        self,
        convs: Sequence[nn.Module],
        activation: Activation,
        dropout: float,
        norms: Sequence[nn.Module] = (),
        propagate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(convs), nn.ModuleList(norms)
        self.activation, self.dropout, self.propagate = activation, dropout, propagate
        self.eval()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for i, conv in enumerate(self.convs):
            if i:
                x = self.activation(self.norms[i - 1](x) if len(self.norms) else x)
            x = F.dropout(x, self.dropout, self.training)
            x = conv(x) if isinstance(conv, nn.Linear) else conv(x, edge_index)
        return x if self.propagate is None else self.propagate(x, edge_index)


class PyGGCNII(nn.Module):
    """Linear, ``GCN2Conv`` layers with ReLU and dropout, linear: PyG's layers in the order of the GCNII paper."""

    def __init__(self, first: nn.Module, convs: Sequence[nn.Module], last: nn.Module, dropout: float) -> None:
        super().__init__()
        self.first, self.convs, self.last, self.dropout = first, nn.ModuleList(convs), last, dropout
        self.eval()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = x_0 = self.first(F.dropout(x, self.dropout, self.training)).relu()
        for conv in self.convs:
            x = conv(F.dropout(x, self.dropout, self.training), x_0, edge_index).relu()
        return self.last(F.dropout(x, self.dropout, self.training))


class PyGPLP(nn.Module):
    """Parameterised label propagation with PyG's edge softmax and scatter: PyG has no layer for it."""

    def __init__(
        self,
        lins: Sequence[nn.Linear],
        scores: Tensor,
        share: Tensor | None,
        labels: Tensor,
        *,
        outputs: int,
        hops: int,
        dropout: float,
        attention_dropout: float,
        by_features: bool,
        released: bool,
        floor: float,
    ) -> None:
        super().__init__()
        self.lins, self.scores = nn.ModuleList(lins), nn.Parameter(scores.detach().clone())
        self.share = None if share is None else nn.Parameter(share.detach().clone())
        self.labels: Tensor
        self.register_buffer("labels", labels.clone())
        self.outputs, self.hops, self.by_features, self.released = outputs, hops, by_features, released
        self.dropout, self.attention_dropout, self.floor = dropout, attention_dropout, floor
        self.eval()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        from torch_geometric.utils import add_remaining_self_loops, scatter, softmax

        (source, target), _ = add_remaining_self_loops(edge_index, num_nodes=len(self.labels))
        scores = F.dropout(x, self.dropout, self.training) @ self.scores if self.by_features else self.scores
        weights = softmax(scores[source], target, num_nodes=len(x))
        own = x
        for i, lin in enumerate(self.lins):
            own = lin(F.dropout(own.relu() if i else own, self.dropout, self.training))
        own = own if self.released else own.softmax(-1)
        known = (self.labels >= 0).unsqueeze(-1)
        labels = F.one_hot(self.labels.clamp(min=0), self.outputs).to(x.dtype)
        y = torch.where(known, labels, 1.0 / self.outputs)
        for _ in range(self.hops):
            kept = F.dropout(weights, self.attention_dropout, self.training)
            y = scatter(kept * y[source], target, dim_size=len(x), reduce="sum")
            if self.share is not None:
                share = self.share.sigmoid()
                y = share * y + (1 - share) * own
            y = torch.where(known, labels, y.relu() if self.released else y)
        return y if self.released else y.clamp(min=self.floor).log()


def linear(layer: Linear, i: int) -> nn.Linear:
    """``torch.nn.Linear``."""
    inputs, outputs = layer.weight.shape[1:]
    return _filled(nn.Linear(inputs, outputs), weight=layer.weight[i].t(), bias=layer.bias[i])


def batch_norm(layer: BatchNorm, i: int) -> nn.BatchNorm1d:
    """``torch.nn.BatchNorm1d``."""
    norm = _filled(nn.BatchNorm1d(layer.weight.size(1)), weight=layer.weight[i], bias=layer.bias[i])
    norm.running_mean, norm.running_var = layer.running_mean[i].clone(), layer.running_var[i].clone()
    return norm


def gcn_conv(layer: GCNConv, i: int, self_loops: bool) -> nn.Module:
    """PyG's ``GCNConv``."""
    from torch_geometric.nn import GCNConv as Conv

    conv = Conv(*layer.weight.shape[1:], add_self_loops=self_loops)
    return _filled(conv, **{"lin.weight": layer.weight[i].t(), "bias": layer.bias[i]})


def sage_conv(layer: SAGEConv, i: int) -> nn.Module:
    """PyG's ``SAGEConv`` with mean aggregation."""
    from torch_geometric.nn import SAGEConv as Conv

    neighbours, own = layer.weight[i].split(layer.outputs, dim=-1)
    conv = Conv(layer.weight.size(1), layer.outputs)
    return _filled(conv, **{"lin_l.weight": neighbours.t(), "lin_l.bias": layer.bias[i], "lin_r.weight": own.t()})


def gat_conv(layer: GATConv, i: int, dropout: float) -> nn.Module:
    """PyG's ``GATConv``."""
    from torch_geometric.nn import GATConv as Conv

    conv = Conv(
        layer.weight.size(1),
        layer.width,
        layer.heads,
        layer.concat,
        negative_slope=layer.negative_slope,
        dropout=dropout,
        residual=layer.residual,
    )
    products = zip(["lin.weight", "res.weight"], layer.weight[i].split(layer.widths, dim=-1), strict=False)
    weights = {name: weight.t() for name, weight in products}
    attention = {"att_src": layer.att_source[i : i + 1], "att_dst": layer.att_target[i : i + 1]}
    return _filled(conv, **weights, **attention, bias=layer.bias[i])


def gin_conv(layer: GINConv, i: int) -> nn.Module:
    """PyG's ``GINConv`` around a small MLP."""
    from torch_geometric.nn import GINConv as Conv

    norm = [] if layer.norm is None else [batch_norm(layer.norm, i)]
    # Put in afterwards: the constructor initialises what it is given.
    conv = Conv(nn.Sequential())
    conv.nn = nn.Sequential(linear(layer.first, i), *norm, nn.ReLU(), linear(layer.second, i))
    return conv


def gcn2_conv(layer: GCN2Conv, i: int) -> nn.Module:
    """PyG's ``GCN2Conv`` with shared weights."""
    from torch_geometric.nn import GCN2Conv as Conv

    # Given without theta and layer, PyG's beta is 1: ours is set as it is.
    conv = Conv(layer.weight.size(1), layer.alpha)
    conv.beta = layer.beta
    return _filled(conv, weight1=layer.weight[i])


def sg_conv(layer: Linear, i: int, hops: int) -> nn.Module:
    """PyG's ``SGConv``."""
    from torch_geometric.nn import SGConv as Conv

    conv = Conv(*layer.weight.shape[1:], K=hops)
    return _filled(conv, **{"lin.weight": layer.weight[i].t(), "lin.bias": layer.bias[i]})


def appnp(hops: int, alpha: float) -> nn.Module:
    """PyG's ``APPNP``, which has no weights."""
    from torch_geometric.nn import APPNP as Conv

    propagate: nn.Module = Conv(hops, alpha)
    return propagate


def _filled(module: Part, **weights: Tensor) -> Part:
    """``module`` in the precision and on the device of the weights, holding copies of all of them."""
    module.to(next(iter(weights.values())))
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(weights[name])
    return module
