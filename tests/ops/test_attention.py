from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.nn import GATConv

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, Noise, attend, edge_softmax, spmm
from graphstill.ops import heads as heads_module

M, N, K, D = 2, 9, 3, 4


@pytest.fixture(params=["together", "one by one"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "one by one":
        monkeypatch.setattr(heads_module, "TOGETHER", -1)
    return request.param


def inputs(scale: float = 1.0, heads: int = K, width: int = D, nodes: int = N) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    shapes = ((M, nodes, heads), (M, nodes, heads), (M, nodes, heads, width))
    drawn = [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]
    return tuple((part * factor).requires_grad_() for part, factor in zip(drawn, (scale, scale, 1.0), strict=True))


def by_edges(
    graph: Adjacency, source: Tensor, target: Tensor, value: Tensor, slope: float, kept: Tensor | None = None
) -> Tensor:
    """The definition, with everything per edge and head in memory; dropout of rate 1/2 where `kept` is given."""
    scores = source[:, graph.source.long()] + target[:, graph.target.long()]
    alpha = edge_softmax(graph, torch.nn.functional.leaky_relu(scores, slope).transpose(1, 2)).transpose(1, 2)
    alpha = alpha if kept is None else alpha * kept * 2
    messages = alpha[..., None] * value[:, graph.source.long()]
    return torch.zeros_like(value).index_add(1, graph.target.long(), messages)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("heads", "width", "scale", "slope"), [(K, D, 1.0, 0.2), (1, 7, 1.0, 0.1), (K, 8, 40.0, 0.2), (K, 1, 1.0, -0.5)]
)
def test_equals_the_definition(graph: Adjacency, heads: int, width: int, scale: float, slope: float) -> None:
    given = inputs(scale, heads, width)
    out, expected = attend(graph, *given, negative_slope=slope), by_edges(graph, *given, slope)
    assert torch.allclose(out, expected) and out.is_contiguous()
    grad = torch.randn_like(out)
    for ours, theirs in zip(
        torch.autograd.grad(out, given, grad), torch.autograd.grad(expected, given, grad), strict=True
    ):
        assert torch.allclose(ours, theirs)


@pytest.mark.usefixtures("way")
def test_gradients_by_finite_differences(graph: Adjacency) -> None:
    noise = Noise([0, 1])
    assert torch.autograd.gradcheck(lambda *given: attend(graph, *given), inputs(), fast_mode=True)
    assert torch.autograd.gradcheck(
        lambda *given: attend(graph, *given, 0.1, noise.at(3), 0.5), inputs(), fast_mode=True
    )


@pytest.mark.usefixtures("way")
def test_dropout_acts_on_attention(graph: Adjacency) -> None:
    noise, given = Noise([4, 5]), inputs()
    kept = noise.at(0).keep((graph.num_edges, K), 0.5)
    out, expected = attend(graph, *given, noise=noise.at(0), p=0.5), by_edges(graph, *given, 0.2, kept)
    assert torch.allclose(out, expected)
    grad = torch.randn_like(out)
    for ours, theirs in zip(
        torch.autograd.grad(out, given, grad), torch.autograd.grad(expected, given, grad), strict=True
    ):
        assert torch.allclose(ours, theirs)
    alone = attend(graph, *(part[1:] for part in given), noise=noise.at(0).member(1), p=0.5)
    assert torch.equal(alone[0], out[1])
    assert torch.equal(attend(graph, *given, noise=noise, p=0.0), attend(graph, *given))


@pytest.mark.usefixtures("way")
def test_equals_pyg_gat(graph: Adjacency, edge_index: Tensor) -> None:
    torch.manual_seed(0)
    conv = GATConv(5, D, heads=K, bias=False)
    x = torch.randn(N, 5, requires_grad=True)
    expected = conv(x, edge_index).view(N, K, D)
    value = conv.lin(x).view(1, N, K, D)
    source, target = ((value * weight).sum(-1) for weight in (conv.att_src, conv.att_dst))
    out = attend(graph.with_self_loops(), source, target, value)[0]
    assert torch.allclose(out, expected, atol=1e-6)
    parameters = [x, *conv.parameters()]
    grads = [torch.autograd.grad(result.square().sum(), parameters, retain_graph=True) for result in (out, expected)]
    for ours, theirs in zip(*grads, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_equal_scores_average(graph: Adjacency) -> None:
    _, _, value = inputs()
    flat = torch.zeros(M, N, K, dtype=torch.float64)
    expected = spmm(graph, graph.mean_weights(torch.float64), value.flatten(2)).unflatten(2, (K, D))
    assert torch.allclose(attend(graph, flat, flat, value), expected)
    assert not attend(graph, flat, flat, value)[:, graph.degree() == 0].any()


def test_disjoint_equals_separate(graph: Adjacency, empty: Adjacency) -> None:
    parts = (graph, empty, graph.with_self_loops())
    union = Adjacency.disjoint(parts)
    given = inputs(nodes=union.num_nodes)
    split = zip(*(part.split([9, 3, 9], dim=1) for part in given), strict=True)
    expected = torch.cat([attend(part, *rows) for part, rows in zip(parts, split, strict=True)], dim=1)
    assert torch.allclose(attend(union, *given), expected)


def test_no_edges(empty: Adjacency) -> None:
    given = inputs(nodes=3)
    out = attend(empty, *given)
    out.sum().backward()
    assert not out.any() and not any(part.grad.any() for part in given)


def test_unsuitable_arguments_are_refused(graph: Adjacency) -> None:
    source, target, value = inputs()
    for wrong in ((source[:, :5], target, value), (source, target[..., :1], value), (source, target, value[..., 0])):
        with pytest.raises(ConfigError, match="scores have shapes"):
            attend(graph, *wrong)
    with pytest.raises(ConfigError, match="3 members of noise"):
        attend(graph, source, target, value, noise=Noise([0, 1, 2]), p=0.5)
