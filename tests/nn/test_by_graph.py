"""Networks that answer by graph: equal to PyG's layers and pooling, members independent, odd graphs right."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from graphstill.errors import ConfigError, DataError
from graphstill.nn import GAT, GCN, GIN, GINE, MLP, GraphSAGE, Model
from graphstill.ops import Adjacency, Groups, Noise, rectified_sum, rectified_sum_of
from tests import tiny_graphs

READING_OUT: list[Model] = [
    GCN(hidden=6, layers=3, readout="mean"),
    GraphSAGE(hidden=6, readout="max"),
    GIN(hidden=6, layers=3, batch_norm=True, readout="sum"),
    GAT(hidden=3, heads=2, readout="attention"),
    MLP(hidden=6, readout="mean"),
    GINE(hidden=6, layers=3, virtual_node=True, edge_codes=(3, 3), readout="attention"),
    GINE(hidden=6, layers=2, residual=True, edge_codes=(3, 3), readout="sum"),
    GINE(hidden=6, layers=2, edge_codes=(3, 3), readout=None),
]


def batch_of(*ids: int) -> tuple[Any, Adjacency]:
    batch = tiny_graphs.task(codes=True).plain_batch(torch.tensor(ids))
    return batch.x, batch.graph


@pytest.mark.parametrize("model", READING_OUT, ids=str)
def test_equal_to_pyg_layers(model: Model) -> None:
    x, graph = batch_of(3, 1, 8, 14)
    cohort = model.build(8, 3, [0, 1])
    for i in range(3):  # running statistics that are not those of the beginning
        cohort(x, graph, Noise([0, 1]).at(i))
    ours = cohort(x, graph).logits
    assert ours.shape == (2, graph.num_nodes if model.readout is None else 4, 3)
    batch, edges, dense = graph.groups.of_row, graph.edge_index(), x.to_dense()
    extra = {"edge_attr": graph.edge_attr} if isinstance(model, GINE) else {}
    for i in range(2):
        theirs = cohort.to_pyg(i)(dense, edges, batch, **extra)
        torch.testing.assert_close(ours[i], theirs, atol=2e-5, rtol=1e-4)
        alone = cohort.member(i)(dense, edges, batch, **extra)
        torch.testing.assert_close(ours[i], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("model", READING_OUT, ids=str)
def test_a_member_is_the_same_alone_and_among_others(model: Model) -> None:
    x, graph = batch_of(0, 5)
    together, alone = model.build(8, 2, [4, 7, 9]), model.build(8, 2, [7])
    torch.testing.assert_close(together(x, graph).logits[1:2], alone(x, graph).logits)
    torch.testing.assert_close(
        together(x, graph, Noise([4, 7, 9]).at(2)).logits[1:2], alone(x, graph, Noise([7]).at(2)).logits
    )
    together.execution = "looped"
    torch.testing.assert_close(together(x, graph).logits[1:2], alone(x, graph).logits)


@pytest.mark.parametrize("model", READING_OUT[:-1], ids=str)
def test_a_graph_answers_for_itself(model: Model) -> None:
    """In evaluation what else is in the batch does not matter, and a graph of one node or without edges is one too."""
    cohort = model.build(8, 2, [0])
    x, graph = batch_of(2, 9, 4)
    whole = cohort(x, graph).logits
    for place, number in enumerate((2, 9, 4)):
        torch.testing.assert_close(cohort(*batch_of(number)).logits[:, 0], whole[:, place], atol=1e-5, rtol=1e-4)
    lonely = Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.long), 3, torch.zeros(0, 2, dtype=torch.long))
    lonely.graph_ptr = torch.tensor([0, 1, 3])
    for noise in (None, Noise([0]).at(0)):
        assert cohort(torch.eye(3, 8), lonely, noise).logits.isfinite().all()


def test_parameters_are_those_of_the_benchmark() -> None:
    """GIN of 5 layers x 300 on molecules: 1,885,506, with a virtual node 3,336,606."""
    for virtual, wanted in ((False, 1_885_506), (True, 3_336_606)):
        model = GINE(hidden=300, layers=5, virtual_node=virtual, readout="mean", edge_codes=(5, 6, 2))
        assert model.parameters_count(174, 1) == wanted


def test_messages_of_a_path() -> None:
    """h = (1,0)(0,2)(-1,1) on 0-1-2, e_01 = (.5,-1), e_12 = (0,1): with eps = .5 (2,1)(1.5,5)(-1.5,4.5)."""
    h = torch.tensor([[[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]]], dtype=torch.float64)
    table = torch.tensor([[[0.5, -1.0], [0.0, 1.0]]], dtype=torch.float64)
    edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    graph = Adjacency.from_edge_index(edges, 3, torch.tensor([[0], [0], [1], [1]]))
    assert graph.edge_attr is not None
    kind = graph.edge_attr[:, 0]
    kinds = Groups(kind, 2)
    wanted = torch.tensor([[[2.0, 1.0], [1.5, 5.0], [-1.5, 4.5]]], dtype=torch.float64)
    torch.testing.assert_close(1.5 * h + rectified_sum(graph, h, table, kinds), wanted)
    torch.testing.assert_close(1.5 * h + rectified_sum_of(graph, h, table[:, kind]), wanted)
    h, table = h.requires_grad_(), table.requires_grad_()
    moved = h + 0.013  # away from where the rectifier bends
    assert torch.autograd.gradcheck(lambda a, b: rectified_sum(graph, a, b, kinds), (moved, table))
    assert torch.autograd.gradcheck(lambda a, b: rectified_sum_of(graph, a, b[:, kind]), (moved, table))


def test_what_is_refused() -> None:
    x, graph = batch_of(0, 1)
    with pytest.raises(ConfigError, match="readout='median' in GCN: give one of mean"):
        GCN(readout="median")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="edges have no features, but the network was made for 2"):
        GINE(edge_codes=(3, 3), readout="mean").build(8, 2, [0])(
            x, Adjacency.from_edge_index(graph.edge_index(), graph.num_nodes)
        )
    with pytest.raises(DataError, match="give the codes that the network was trained with"):
        GINE(edge_codes=(2, 2), readout="mean").build(8, 2, [0])(x, graph)
    with pytest.raises(DataError, match="does not say which nodes belong to which graph"):
        GCN(readout="mean").build(8, 2, [0])(x, Adjacency.from_edge_index(graph.edge_index(), graph.num_nodes))
    member = GCN(readout="mean").build(8, 2, [0]).member(0)
    with pytest.raises(DataError, match="give each node the number of its graph"):
        member(x.to_dense(), graph.edge_index(), torch.ones(graph.num_nodes, dtype=torch.long))


def test_options_without_a_readout_are_those_of_before() -> None:
    assert "readout" not in GCN().options() and GCN(readout="mean").options()["readout"] == "mean"
