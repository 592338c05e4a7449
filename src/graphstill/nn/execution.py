"""How a cohort runs: all members at once, or one after another. The results agree; only the time differs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from graphstill.nn.cohort import Cohort
from graphstill.nn.output import Hidden, Output
from graphstill.ops import Adjacency, Noise, SparseFeatures

EXECUTIONS = ("auto", "stacked", "looped")

# Numbers in a member's widest layer from which members go one by one on a CPU: side by side they leave the caches, and
# their larger blocks go back to the system after every step. Four members, one thread, training step, stacked / looped:
# 1.0 or less for every model below; GAT of 5,000 nodes x 512: 1.33; GAT, GCN, MLP of 60,000 x 64: 1.24, 1.22, 1.09.
LOOP_FROM = 2_500_000
# The same for all members together. GCN, stacked / looped: PubMed, ten members of 64 (12.6 million): 1.28; ten of 16
# (3.2 million): 0.94; Cora, forty of 64 (6.9 million): 0.84, eight of 256 (5.5 million): 0.92.
LOOP_FROM_TOGETHER = 10_000_000


def loops(execution: str, graph: Adjacency, width: int, members: int) -> bool:
    """Whether a pass goes member by member, of networks whose widest product has this width."""
    if execution != "auto":
        return execution == "looped"
    if graph.device.type != "cpu":
        return False
    numbers = graph.num_nodes * width
    return numbers >= LOOP_FROM or numbers * members >= LOOP_FROM_TOGETHER


def looped(cohort: Cohort, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
    """Run each member by itself, with its slice of the stacked weights, and stack what comes out.

    Slices come from one ``split`` a parameter, whose gradient is one concatenation; indexing would add a full-size
    gradient for every member. Buffers are slices of the cohort's own, so running statistics land where they belong.
    """
    parameters = {name: tensor.split(1) for name, tensor in cohort.named_parameters()}
    buffers = dict(cohort.named_buffers())
    own_features = isinstance(x, Tensor) and x.dim() == 3
    outputs: list[Output] = []
    for i in range(cohort.members):
        state = {name: parts[i] for name, parts in parameters.items()} | {k: b[i : i + 1] for k, b in buffers.items()}
        features = x[i : i + 1] if isinstance(x, Tensor) and own_features else x
        outputs.append(functional_call(cohort, state, (features, graph, None if noise is None else noise.member(i))))
    layers = zip(*(output.hidden for output in outputs), strict=True)
    heads = [output.heads for output in outputs if output.heads is not None]
    logits = torch.cat([output.logits for output in outputs])
    return Output(logits, tuple(_join(layer) for layer in layers), torch.cat(heads) if heads else None)


def _join(parts: tuple[Hidden, ...]) -> Hidden:
    pre, post = torch.cat([part.pre for part in parts]), torch.cat([part.post for part in parts])
    undropped = all(part.dropped is part.post for part in parts)
    return Hidden(pre, post, post if undropped else torch.cat([part.dropped for part in parts]))
