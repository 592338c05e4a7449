"""Communities of every graph, found once before training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import _csr
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.groups import Groups


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of the nodes of several graphs; a cluster's nodes are of one graph.

    Attributes:
        of_node: Groups of the N nodes into K clusters, those of the first graph first.
        ptr: int64 [G + 1]; graph g has the clusters ptr[g]:ptr[g + 1].
    """

    of_node: Groups
    ptr: Tensor

    def pairs(self, at_least: int = 3) -> Adjacency:
        """An edge between any two clusters of a graph, both ways and with itself; none of graphs with fewer clusters.

        >>> c = Clusters(Groups(torch.tensor([0, 1, 0]), 2), torch.tensor([0, 2]))
        >>> c.pairs(at_least=2).edge_index().tolist(), c.pairs().num_edges
        ([[0, 1, 0, 1], [0, 0, 1, 1]], 0)
        """
        sizes = self.ptr.diff()
        sizes = torch.where(sizes >= at_least, sizes, 0)
        each = sizes.repeat_interleave(self.ptr.diff())  # edges into each cluster
        ptr = torch.cat([each.new_zeros(1), each.cumsum(0)])
        _csr.check_size(int(ptr[-1]), "pairs of clusters")
        order = torch.arange(int(ptr[-1]), device=ptr.device)
        target = torch.arange(len(each), device=ptr.device).repeat_interleave(each)
        first = self.ptr[:-1].repeat_interleave(self.ptr.diff())
        source = order - ptr[target] + first[target]
        return Adjacency(ptr.int(), source.int(), target.int(), order)


def louvain(graph: Adjacency, graph_ptr: Tensor, seed: int = 0, resolution: float = 1.0) -> Clusters:
    """The communities of every graph by Louvain's algorithm, numbered by their first node.

    Blondel et al.: Fast Unfolding of Communities in Large Networks, 2008, as networkx has it. Directions and multiple
    edges are ignored; a node alone is a cluster. Made graph by graph on the CPU: keep the result.

    Args:
        graph, graph_ptr: all graphs one after another, int64 [G + 1].
        seed: of the order in which nodes are visited; the same for every graph.
        resolution: above 1 for more, smaller communities.

    Raises:
        ConfigError: networkx, which the extra `graphs` brings, is missing.

    >>> two = Adjacency.from_edge_index(torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]]), 6)
    >>> found = louvain(two, torch.tensor([0, 3, 6]))
    >>> found.of_node.of_row.tolist(), found.ptr.tolist()
    ([0, 0, 0, 1, 1, 2], [0, 1, 3])
    """
    try:
        import networkx
    except ImportError as error:
        raise ConfigError(
            "Louvain clusters need networkx, which is missing. Where: louvain. Install graphstill[graphs]."
        ) from error
    bounds, edges = graph_ptr.tolist(), graph.edge_index().cpu()
    cuts = graph.ptr.cpu()[graph_ptr.cpu()].tolist()
    of_node, ptr = torch.empty(graph.num_nodes, dtype=torch.int64), [0]
    for first, last, begin, end in zip(bounds[:-1], bounds[1:], cuts[:-1], cuts[1:], strict=True):
        own = networkx.Graph()
        own.add_nodes_from(range(first, last))
        own.add_edges_from(edges[:, begin:end].T.tolist())
        found = networkx.community.louvain_communities(own, seed=seed, resolution=resolution) if first < last else []
        for number, nodes in enumerate(sorted(found, key=min)):
            of_node[list(nodes)] = ptr[-1] + number
        ptr.append(ptr[-1] + len(found))
    return Clusters(Groups(of_node.to(graph.device), ptr[-1]), graph_ptr.new_tensor(ptr))
