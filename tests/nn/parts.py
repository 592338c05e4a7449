"""A small awkward graph, features, and a specification of every kind, shared by the tests of nn."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from graphstill.nn import (
    APPNP,
    GAT,
    GCN,
    GCNII,
    GIN,
    GINE,
    MLP,
    PLP,
    ROD,
    SGC,
    Cohort,
    GraphSAGE,
    KnownLabels,
    Model,
    Output,
    StackedCohort,
)
from graphstill.ops import Adjacency, Noise, SparseFeatures

NODES, FEATURES, CLASSES = 14, 9, 4
SEEDS = [3, 7, 9]

# One plain specification a registered model (a test checks that none is missing), then the other options.
PLAIN: list[Model] = [
    GCN(hidden=6, layers=3),
    GraphSAGE(hidden=6, layers=3),
    GAT(hidden=3, heads=2, layers=3),
    GIN(hidden=6, layers=2),
    GINE(hidden=6, layers=2),
    GCNII(hidden=6, layers=4),
    SGC(dropout=0.3),
    APPNP(hidden=6, hops=3),
    MLP(hidden=6, layers=3),
    PLP(hidden=6, hops=3, dropout=0.5),
    ROD(hidden=6, hops=3, dropout=0.5),
]
SPECS: list[Model] = [
    *PLAIN,
    GCN(hidden=12, layers=2, self_loops=False, activation="leaky_relu", drop_edge=0.4),
    GCN(layers=1),
    GraphSAGE(hidden=12, layers=2, dropout=0.0, drop_edge=0.4, activation="tanh"),
    GAT(hidden=2, heads=3, layers=2, out_heads=2, residual=True, drop_edge=0.4),
    GAT(hidden=70, heads=2, layers=2, attention_dropout=0.0),
    GIN(hidden=12, layers=1, batch_norm=True),
    SGC(hops=0),
    MLP(hidden=12, layers=2, batch_norm=True, activation="gelu"),
    PLP(hidden=6, layers=3, hops=2, scores="inductive", dropout=0.3, attention_dropout=0.4),
    PLP(layers=1, hops=2, attention_dropout=0.0, released=True),
    ROD(hidden=12, hops=1, dropout=0.0),
]


def edges() -> Tensor:
    """Directed, with self-loops, with a repeated edge, nodes without sources, and an isolated one (the last)."""
    generator = torch.Generator().manual_seed(1)
    index = torch.randint(NODES - 1, (2, 40), generator=generator)
    loops = torch.tensor([[2, 5], [2, 5]])
    index = index[:, index[1] != 0]
    return torch.cat([index, index[:, :1], loops], dim=1)


def graph() -> Adjacency:
    return Adjacency.from_edge_index(edges(), NODES)


def dense(dtype: torch.dtype = torch.float64, width: int = FEATURES) -> Tensor:
    """Features of which most are zero, and one row all zeros."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(NODES, width, generator=generator, dtype=torch.float64)
    x[torch.rand(x.shape, generator=generator) < 0.5] = 0.0
    x[4] = 0.0
    return x.to(dtype)


def sparse(dtype: torch.dtype = torch.float64, width: int = FEATURES) -> SparseFeatures:
    return SparseFeatures.from_dense(dense(dtype, width))


def known() -> KnownLabels:
    """Labels of five nodes, the isolated one among them, for models that have labels as an input."""
    return KnownLabels.of(NODES, torch.tensor([1, 4, 8, 9, NODES - 1]), torch.tensor([2, 0, 3, 1, 2]))


def build(
    spec: Model, seeds: list[int] = SEEDS, dtype: torch.dtype = torch.float64, labels: KnownLabels | None = None
) -> StackedCohort:
    cohort = spec.build(FEATURES, CLASSES, seeds, labels or known()).to(dtype)
    assert isinstance(cohort, StackedCohort)
    return cohort


def scramble(module: nn.Module, seed: int = 5) -> None:
    """Random weights everywhere, so that biases of 0 and norms of 1 hide nothing; running variances stay positive."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
            tensor.copy_(noise + 0.5 if name.endswith("running_var") else noise - 0.5)


def probe(logits: Tensor) -> Tensor:
    """A scalar a member in which every logit has a weight of its own."""
    weight = torch.linspace(-1.0, 1.0, logits[0].numel(), dtype=logits.dtype).view(logits.shape[1:])
    return (logits * weight).sum((-1, -2)).sin()


def gradients(cohort: Cohort, output: Output) -> dict[str, Tensor]:
    """Gradient of the sum of members' probes, by parameter."""
    names, parameters = zip(*cohort.named_parameters(), strict=True)
    found = torch.autograd.grad(probe(output.logits).sum(), parameters)
    return dict(zip(names, found, strict=True))


def in_place_of_weights(module: nn.Module, gradient: dict[str, Tensor]) -> nn.Module:
    """A copy of ``module`` whose weights are gradients: converting it puts each gradient where PyG has the weight."""
    other = copy.deepcopy(module)
    with torch.no_grad():
        for name, parameter in other.named_parameters():
            parameter.copy_(gradient[name])
    return other


def noise(seeds: list[int] = SEEDS, step: int = 1) -> Noise:
    return Noise(seeds).at(step)


def label(spec: Model) -> str:
    return str(spec).replace(" ", "")
