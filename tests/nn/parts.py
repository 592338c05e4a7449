"""A specification of every kind, and the graph of `graphstill.testing`, shared by the tests of nn."""

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
from graphstill.testing.graph import (
    CLASSES,
    FEATURES,
    NODES,
    SEEDS,
    dense,
    edges,
    graph,
    known,
    noise,
    probe,
    sparse,
)

__all__ = [
    "CLASSES",
    "FEATURES",
    "NODES",
    "SEEDS",
    "dense",
    "edges",
    "graph",
    "known",
    "noise",
    "probe",
    "sparse",
]


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


def label(spec: Model) -> str:
    return str(spec).replace(" ", "")
