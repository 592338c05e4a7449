"""The fast path: products, softmax and scores over edges, sparse features, noise, smoothing. Depends on torch only."""

from graphstill.ops.adjacency import Adjacency
from graphstill.ops.attention import attend
from graphstill.ops.clusters import Clusters, louvain
from graphstill.ops.distances import distance_graphs, distance_means
from graphstill.ops.edges import edge_cosine, edge_dot, edge_form, edge_l1_distance, edge_squared_distance
from graphstill.ops.groups import Groups
from graphstill.ops.heuristics import (
    adamic_adar,
    common_neighbours,
    heuristic_logits,
    katz,
    local_paths,
    personalized_pagerank,
    resource_allocation,
)
from graphstill.ops.hops import mix_hops
from graphstill.ops.messages import rectified_sum, rectified_sum_of
from graphstill.ops.noise import Noise
from graphstill.ops.pairs import SimilarPairs, similar_pairs
from graphstill.ops.segments import edge_log_softmax, edge_softmax, segment_max, segment_sum
from graphstill.ops.smoothing import blurs, filter_maps, gaussian_filter, gaussian_kernel
from graphstill.ops.sparse_features import SparseFeatures
from graphstill.ops.spmm import spmm
from graphstill.ops.typed import along_metapath, relation_means, relation_weights, typed_attention
from graphstill.ops.walks import link_contexts, random_walks, walks_of_graphs
from graphstill.ops.weights import EdgeWeights
from graphstill.ops.zero_shot import class_scores, conse, ridge_rows

__all__ = [
    "Adjacency",
    "Clusters",
    "EdgeWeights",
    "Groups",
    "Noise",
    "SimilarPairs",
    "SparseFeatures",
    "adamic_adar",
    "along_metapath",
    "attend",
    "blurs",
    "class_scores",
    "common_neighbours",
    "conse",
    "distance_graphs",
    "distance_means",
    "edge_cosine",
    "edge_dot",
    "edge_form",
    "edge_l1_distance",
    "edge_log_softmax",
    "edge_softmax",
    "edge_squared_distance",
    "filter_maps",
    "gaussian_filter",
    "gaussian_kernel",
    "heuristic_logits",
    "katz",
    "link_contexts",
    "local_paths",
    "louvain",
    "mix_hops",
    "personalized_pagerank",
    "random_walks",
    "rectified_sum",
    "rectified_sum_of",
    "relation_means",
    "relation_weights",
    "resource_allocation",
    "ridge_rows",
    "segment_max",
    "segment_sum",
    "similar_pairs",
    "spmm",
    "typed_attention",
    "walks_of_graphs",
]
