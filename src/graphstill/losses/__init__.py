"""Pure functions of tensors; each returns one value a member, [M].

>>> gs.losses.entropy(torch.zeros(1, 4))  # log 4
tensor([1.3863])
"""

from graphstill.losses.adversarial import judged_fake, judged_real
from graphstill.losses.bank_contrast import bank_contrast
from graphstill.losses.by_node import local_structure_kl_by_node, soft_target_kl_by_node, supervised_by_node
from graphstill.losses.class_graph import weight_regression
from graphstill.losses.contrastive import info_nce, log_normaliser, noise_contrastive
from graphstill.losses.discrepancy import AGGREGATES, Aggregate, discrepancy_retention, neighbourhood_discrepancy
from graphstill.losses.experts import GATES, Gate, gate_size, gated_logits, released_probability
from graphstill.losses.features import attention_distance, hint_distance
from graphstill.losses.graph_similarity import cluster_distance, graph_distance, path_kl
from graphstill.losses.graph_summaries import readout_retention, summary_scores
from graphstill.losses.heads import own_ensemble_kl, pair_cosines, similarity_bce
from graphstill.losses.hierarchical_context import graph_context, image_context
from graphstill.losses.kernels import (
    PAIR_KERNELS,
    PairKernel,
    PairScale,
    for_kernel,
    gram_distance,
    kernel_matching,
    of_edges,
    pair_distance,
    product_matching,
    relu_features,
    take,
)
from graphstill.losses.link_context import context_kl, context_pairs, context_rank
from graphstill.losses.neighbours import edge_contrast_kl, neighbour_kl
from graphstill.losses.online import best_peer, min_logit, min_logit_multi_label
from graphstill.losses.pairs import unit
from graphstill.losses.perturbation import adversarial_offset
from graphstill.losses.policy import bernoulli_log_probability, reinforce, with_neighbourhood
from graphstill.losses.regression import absolute_error, bounded_by_teacher, regression_to_teacher, squared_error
from graphstill.losses.relational import angle_relation, distance_relation, similarity_rows
from graphstill.losses.reliability import agreement_by_bin, entropy, fit_exponent
from graphstill.losses.rod_links import (
    cluster_probabilities,
    compactness,
    row_embeddings,
    score_bce,
    score_gate,
    score_similarity,
)
from graphstill.losses.soft_targets import bernoulli_kl, soft_target_kl, softmax_kl
from graphstill.losses.structure import (
    KERNELS,
    Bandwidth,
    Kernel,
    edge_similarity,
    local_structure_kl,
)
from graphstill.losses.supervised import binary_cross_entropy, cross_entropy, smoothed_cross_entropy, supervised
from graphstill.losses.union_structure import (
    UNION_KERNELS,
    WHICH,
    NeighbourPairs,
    UnionKernel,
    Which,
    graph_pairs,
    table_pairs,
    union_structure_kl,
)

__all__ = [
    "AGGREGATES",
    "GATES",
    "KERNELS",
    "PAIR_KERNELS",
    "UNION_KERNELS",
    "WHICH",
    "Aggregate",
    "Bandwidth",
    "Gate",
    "Kernel",
    "NeighbourPairs",
    "PairKernel",
    "PairScale",
    "UnionKernel",
    "Which",
    "absolute_error",
    "adversarial_offset",
    "agreement_by_bin",
    "angle_relation",
    "attention_distance",
    "bank_contrast",
    "bernoulli_kl",
    "bernoulli_log_probability",
    "best_peer",
    "binary_cross_entropy",
    "bounded_by_teacher",
    "cluster_distance",
    "cluster_probabilities",
    "compactness",
    "context_kl",
    "context_pairs",
    "context_rank",
    "cross_entropy",
    "discrepancy_retention",
    "distance_relation",
    "edge_contrast_kl",
    "edge_similarity",
    "entropy",
    "fit_exponent",
    "for_kernel",
    "gate_size",
    "gated_logits",
    "gram_distance",
    "graph_context",
    "graph_distance",
    "graph_pairs",
    "hint_distance",
    "image_context",
    "info_nce",
    "judged_fake",
    "judged_real",
    "kernel_matching",
    "local_structure_kl",
    "local_structure_kl_by_node",
    "log_normaliser",
    "min_logit",
    "min_logit_multi_label",
    "neighbour_kl",
    "neighbourhood_discrepancy",
    "noise_contrastive",
    "of_edges",
    "own_ensemble_kl",
    "pair_cosines",
    "pair_distance",
    "path_kl",
    "product_matching",
    "readout_retention",
    "regression_to_teacher",
    "reinforce",
    "released_probability",
    "relu_features",
    "row_embeddings",
    "score_bce",
    "score_gate",
    "score_similarity",
    "similarity_bce",
    "similarity_rows",
    "smoothed_cross_entropy",
    "soft_target_kl",
    "soft_target_kl_by_node",
    "softmax_kl",
    "squared_error",
    "summary_scores",
    "supervised",
    "supervised_by_node",
    "table_pairs",
    "take",
    "union_structure_kl",
    "unit",
    "weight_regression",
    "with_neighbourhood",
]
