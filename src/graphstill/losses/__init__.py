"""Pure functions of tensors; each returns one value a member, [M]."""

from graphstill.losses.adversarial import judged_fake, judged_real
from graphstill.losses.soft_targets import bernoulli_kl, soft_target_kl, softmax_kl
from graphstill.losses.structure import (
    KERNELS,
    Bandwidth,
    Kernel,
    edge_similarity,
    local_structure_kl,
    local_structure_kl_per_node,
)
from graphstill.losses.supervised import binary_cross_entropy, cross_entropy, supervised

__all__ = [
    "KERNELS",
    "Bandwidth",
    "Kernel",
    "bernoulli_kl",
    "binary_cross_entropy",
    "cross_entropy",
    "edge_similarity",
    "judged_fake",
    "judged_real",
    "local_structure_kl",
    "local_structure_kl_per_node",
    "soft_target_kl",
    "softmax_kl",
    "supervised",
]
