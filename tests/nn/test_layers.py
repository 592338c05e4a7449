"""Linear, batch normalisation and every convolution: equal to torch's and PyG's layers, in outputs and gradients."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from graphstill.nn import BatchNorm, GATConv, GCN2Conv, GCNConv, GINConv, Linear, SAGEConv, pyg
from graphstill.nn.layers import MemberModule, initialise, multiply
from graphstill.nn.weighted import WeightedGraph, gcn_weighted, mean_weighted, unweighted
from graphstill.ops import Noise, SparseFeatures
from tests.nn.parts import NODES, SEEDS, dense, edges, graph, in_place_of_weights, probe, scramble, sparse

MEMBERS = len(SEEDS)
Convert = Callable[..., nn.Module]


def made(layer: MemberModule) -> MemberModule:
    initialise(layer, SEEDS)
    layer = layer.double()
    scramble(layer)
    return layer


def same_as_reference(layer: MemberModule, out: Tensor, convert: Convert, run: Callable[[nn.Module], Tensor]) -> None:
    """Outputs of each member, and gradients of all its weights, equal the converted layer's."""
    names, parameters = zip(*layer.named_parameters(), strict=True)
    found = dict(zip(names, torch.autograd.grad(probe(out).sum(), parameters), strict=True))
    expected_from = in_place_of_weights(layer, found)
    for i in range(MEMBERS):
        reference = convert(layer, i)
        reference_out = run(reference)
        assert_close(out[i], reference_out)
        probe(reference_out.unsqueeze(0)).sum().backward()
        gradients = dict(convert(expected_from, i).named_parameters())
        for name, parameter in reference.named_parameters():
            assert_close(gradients[name].detach(), parameter.grad, msg=name)


@pytest.mark.parametrize("outputs", [3, 64])
@pytest.mark.parametrize("kind", ["sparse", "shared", "own"])
def test_linear(kind: str, outputs: int) -> None:
    x = dense()
    own = torch.stack([x, x + 1.0, x - 2.0])
    features = {"sparse": sparse(), "shared": x, "own": own}[kind]
    layer = made(Linear(MEMBERS, x.size(1), outputs))
    out = layer(features)
    assert out.is_contiguous()
    for i in range(MEMBERS):
        assert_close(out[i], pyg.linear(layer, i)(own[i] if kind == "own" else x))  # type: ignore[arg-type]
    if kind != "own":
        same_as_reference(layer, out, pyg.linear, lambda module: module(x))


def test_product_drops_each_members_features_by_itself() -> None:
    x, weight = torch.ones(40, 30), torch.eye(30).expand(MEMBERS, -1, -1).contiguous()
    out = multiply(x, weight, Noise(SEEDS), 0.25)
    assert_close(out, Noise(SEEDS).dropout(x, 0.25))
    assert_close(out.unique(), torch.tensor([0.0, 4 / 3]))
    assert not torch.equal(out[0], out[1])


def test_batch_norm() -> None:
    layer = BatchNorm(MEMBERS, 5).double()
    initialise(layer, SEEDS)
    references = [nn.BatchNorm1d(5).double() for _ in range(MEMBERS)]
    for step in range(3):
        x = torch.randn(MEMBERS, NODES, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(step)) * 2 + 1
        assert_close(layer(x, training=True), torch.stack([norm(x[i]) for i, norm in enumerate(references)]))
    for i, norm in enumerate(references):
        assert_close(layer.running_mean[i], norm.running_mean)
        assert_close(layer.running_var[i], norm.running_var)
        assert_close(layer(x, training=False)[i], norm.eval()(x[i]))
    scramble(layer)
    shared = x[:1].expand(MEMBERS, -1, -1)
    same_as_reference(layer, layer(shared, training=False), pyg.batch_norm, lambda norm: norm.eval()(x[0]))
    same_as_reference(layer, layer(shared, training=True), pyg.batch_norm, lambda norm: norm.train()(x[0]))


def gcn(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    layer = GCNConv(MEMBERS, inputs, outputs)
    return (
        layer,
        gcn_weighted(graph().with_self_loops(), torch.float64),
        lambda c, i: pyg.gcn_conv(c, i, self_loops=True),
    )


def gcn_as_given(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    layer = GCNConv(MEMBERS, inputs, outputs)
    return layer, gcn_weighted(graph(), torch.float64), lambda c, i: pyg.gcn_conv(c, i, self_loops=False)


def sage(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    return SAGEConv(MEMBERS, inputs, outputs), mean_weighted(graph(), torch.float64), pyg.sage_conv


def gin(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    return GINConv(MEMBERS, inputs, outputs, 4), unweighted(graph()), pyg.gin_conv


def gat(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    layer = GATConv(MEMBERS, inputs, outputs, heads=3)
    return layer, unweighted(graph().with_self_loops()), lambda c, i: pyg.gat_conv(c, i, 0.0)


def gat_wide_residual(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    layer = GATConv(MEMBERS, inputs, outputs + 60, heads=2, residual=True)
    return layer, unweighted(graph().with_self_loops()), lambda c, i: pyg.gat_conv(c, i, 0.0)


def gat_averaged(inputs: int, outputs: int) -> tuple[MemberModule, WeightedGraph, Convert]:
    layer = GATConv(MEMBERS, inputs, outputs, heads=2, concat=False, residual=True)
    return layer, unweighted(graph().with_self_loops()), lambda c, i: pyg.gat_conv(c, i, 0.0)


@pytest.mark.parametrize("outputs", [3, 20], ids=["shrinks", "widens"])
@pytest.mark.parametrize("features", [dense, sparse])
@pytest.mark.parametrize("conv", [gcn, gcn_as_given, sage, gin, gat, gat_wide_residual, gat_averaged])
def test_conv_equals_pyg(
    conv: Callable[[int, int], tuple[MemberModule, WeightedGraph, Convert]],
    features: Callable[[], Tensor | SparseFeatures],
    outputs: int,
) -> None:
    layer, weighted, convert = conv(dense().size(1), outputs)
    layer = made(layer)
    same_as_reference(layer, layer(features(), weighted=weighted), convert, lambda module: module(dense(), edges()))


@pytest.mark.parametrize("outputs", [3, 20], ids=["shrinks", "widens"])
@pytest.mark.parametrize("conv", [gcn, sage, gin, gat])
def test_gradient_to_the_input_equals_pyg(
    conv: Callable[[int, int], tuple[MemberModule, WeightedGraph, Convert]], outputs: int
) -> None:
    layer, weighted, convert = conv(dense().size(1), outputs)
    layer = made(layer)
    own = torch.stack([dense(), dense() + 1.0, dense() * 2.0]).requires_grad_()
    probe(layer(own, weighted=weighted)).sum().backward()
    assert own.grad is not None
    for i in range(MEMBERS):
        x = own[i].detach().requires_grad_()
        probe(convert(layer, i)(x, edges()).unsqueeze(0)).sum().backward()
        assert_close(own.grad[i], x.grad)


def test_gcn2_conv_equals_pyg() -> None:
    from torch_geometric.nn import GCN2Conv as Reference

    layer = GCN2Conv(MEMBERS, 5, alpha=0.2, lambda_=0.7, layer=3)
    layer = made(layer)  # type: ignore[assignment]
    x, x_0 = dense(width=5), dense(width=5).flip(0)
    weighted = gcn_weighted(graph().with_self_loops(), torch.float64)
    out = layer(x.expand(MEMBERS, -1, -1), 0.2 * x_0.expand(MEMBERS, -1, -1), weighted)
    assert pyg.gcn2_conv(layer, 0).beta == pytest.approx(Reference(5, 0.2, theta=0.7, layer=3).beta)
    same_as_reference(layer, out, pyg.gcn2_conv, lambda module: module(x, x_0, edges()))
