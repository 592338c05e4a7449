"""An exported student, ready to answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphstill.errors import DataError
from graphstill.runtime.area import Area
from graphstill.runtime.engines import OnnxEngine, Plan, SplitEngine
from graphstill.runtime.features import Features, Triple, binarize, check_features, normalize, select
from graphstill.runtime.graph import Graph, Grown, check_nodes, gather
from graphstill.runtime.jagged import Floats, Ints
from graphstill.runtime.manifest import NAME
from graphstill.runtime.scores import labels, probabilities
from graphstill.runtime.student import Student

AnyFeatures = npt.ArrayLike | Triple | Features
AnyGraph = Graph | npt.ArrayLike | None
Nodes = npt.ArrayLike | Sequence[int] | None


class Predictor(Student):
    """A student from the folder that ``graphstill export`` wrote.

    It keeps nothing between calls: give a :class:`Graph` and :class:`Features` made once, rather than bare arrays,
    where many predictions are made on the same ones. Calls from several threads at a time are fine.

    All methods but :meth:`prepare` read *prepared* features, as the network saw them in training. Where
    ``feature_normalization`` in the manifest is not null, pass raw ones through :meth:`prepare` first.

    Args:
        directory: the folder.
        threads: of ONNX Runtime, within an operator (operators run one at a time). NumPy's own part runs on one, but
            for the product of dense features in the engine "split": its BLAS takes what OMP_NUM_THREADS says.
        engine: "onnx", "int8" or "split"; None for the one that was fastest when the student was exported.

    Attributes:
        manifest: what the folder says of itself. classes, features: widths of logits and input. hops: from how many
        edges away a node's logits can change (None: unknown, for a module without a plan). engine, engines: the one in
        use, and all that the folder has. needs_graph: whether predictions take a graph. threads: as given.

    Raises:
        ExportError: the folder is missing, broken or incomplete.
        ConfigError: a network of images, another engine than the folder has, or a number of threads below 1.
    """

    def __init__(self, directory: str | Path, threads: int = 1, engine: str | None = None) -> None:
        directory = Path(directory)
        super().__init__(directory, threads, engine)
        self.features: int = self.manifest["features"]
        plan = Plan(self.manifest["plan"], directory / NAME) if self.manifest["plan"] else None
        self.hops = None if plan is None else plan.hops
        self._run: SplitEngine | OnnxEngine
        if self.engine == "split":
            assert plan is not None
            self._run = SplitEngine(directory, plan, threads)
            self.needs_graph = plan.needs_graph
        else:
            self._run = OnnxEngine(directory, self.engine, plan, threads)
            self.needs_graph = "edge_index" in self._run.inputs

    def __repr__(self) -> str:
        return f"Predictor(engine={self.engine!r}, features={self.features}, classes={self.classes}, hops={self.hops})"

    def prepare(self, x: AnyFeatures) -> Floats | Features:
        """Raw features as the network reads them: normalised as those were that it was trained on.

        Shapes:
            x: as for :meth:`logits`; returns float32 ``[nodes, features]``, or Features where they came sparse.
        """
        checked = select(check_features(x, self.features, "x"), None)
        steps = (self.manifest["feature_normalization"] or "").split("-")
        checked = binarize(checked) if "binary" in steps else checked
        return normalize(checked) if "row" in steps else checked

    def logits(self, x: AnyFeatures, graph: AnyGraph = None, nodes: Nodes = None) -> Floats:
        """Logits of all nodes, or of some.

        For some, only those that they depend on are read, with the degrees that these have in the whole graph: the
        result equals the rows of the full pass up to rounding.

        Args:
            x: prepared features of all nodes: dense ``[nodes, features]``, :class:`Features`, or the three arrays
                (data, indices, indptr) of a CSR matrix.
            graph: a :class:`Graph`, or edges ``[2, edges]``; None for a student that reads none.
            nodes: numbers of the nodes asked for, in any order, repeats allowed.

        Returns:
            float32 ``[nodes, classes]``, rows in the order asked for.

        Raises:
            DataError: features, edges or nodes that do not fit; the message says which.
        """
        features = check_features(x, self.features, "x")
        edges = self._graph(graph, len(features))
        if nodes is None:
            return self._run(select(features, None), _no_edges(len(features)) if edges is None else edges.whole)
        asked, place = np.unique(check_nodes(nodes, len(features)), return_inverse=True)
        if edges is None:
            return self._run(select(features, asked), _no_edges(len(asked)))[place]
        area = None if self.hops is None else gather(edges, asked, self.hops)
        # The layout of the whole graph is there already; that of most of it would be made for this call.
        if area is None or area.nodes is None or 2 * len(area.nodes) > len(features):
            return self._run(select(features, None), edges.whole)[asked[place]]
        return self._run(select(features, area.nodes), area)[place]

    def logits_new(
        self, x: AnyFeatures, graph: AnyGraph, new_x: AnyFeatures, new_edges: npt.ArrayLike | None = None
    ) -> Floats:
        """Logits of nodes that are not in the graph yet.

        The new nodes are numbered on from the last old one. Degrees grow where new edges point, as they would in the
        grown graph: the result equals the full pass over it up to rounding. Nothing of the old graph is changed.

        Args:
            x, graph: as for :meth:`logits`.
            new_x: prepared features of the new nodes, as x.
            new_edges: ``[2, edges]`` among old and new nodes; both directions of an edge if it has both. None for a
                student that reads no graph.

        Returns:
            float32 ``[new nodes, classes]``.

        Raises:
            DataError: as for :meth:`logits`, or edges of a student that reads none.
        """
        new = check_features(new_x, self.features, "new_x")
        if not len(new):
            raise DataError("new_x has no rows. Where: Predictor.logits_new. Give the features of at least one node.")
        old = check_features(x, self.features, "x")
        edges = self._graph(graph, len(old))
        if (edges is None) != (new_edges is None):
            raise DataError(
                f"new_edges is {'missing' if new_edges is None else 'given'}, this student reads "
                f"{'a graph' if edges is not None else 'no graph'}. Where: Predictor.logits_new. "
                f"{'Give the edges of the new nodes, [2, edges]' if edges is not None else 'Leave them out'}."
            )
        if edges is None or new_edges is None:
            return self._run(select(new, None), _no_edges(len(new)))
        grown = Grown(edges, len(new), new_edges)
        if self.hops is None:
            joined = np.concatenate([edges.whole.edge_index, np.asarray(new_edges, np.int64)], axis=1)
            everything = np.arange(grown.num_nodes)
            return self._run(_rows(old, new, everything), Graph(joined, grown.num_nodes).whole)[len(old) :]
        area = gather(grown, np.arange(len(old), grown.num_nodes), self.hops)
        assert area.nodes is not None
        return self._run(_rows(old, new, area.nodes), area)

    def predict(self, x: AnyFeatures, graph: AnyGraph = None, nodes: Nodes = None) -> Ints:
        """Labels: int64 ``[nodes]``; for several labels a node, 0 or 1 in ``[nodes, classes]``. See :meth:`logits`."""
        return labels(self.logits(x, graph, nodes), self.manifest["multi_label"])

    def probabilities(self, x: AnyFeatures, graph: AnyGraph = None, nodes: Nodes = None) -> Floats:
        """Softmax of the logits; for several labels a node, sigmoid: ``[nodes, classes]``. See :meth:`logits`."""
        return probabilities(self.logits(x, graph, nodes), self.manifest["multi_label"])

    def _graph(self, graph: AnyGraph, num_nodes: int) -> Graph | None:
        if (graph is not None) != self.needs_graph:
            raise DataError(
                f"graph is {'given' if graph is not None else 'missing'}, this student reads "
                f"{'one' if self.needs_graph else 'none'}. Where: Predictor. "
                f"{'Give a Graph, or edges [2, edges]' if self.needs_graph else 'Leave it out'}."
            )
        if graph is None:
            return None
        graph = graph if isinstance(graph, Graph) else Graph(graph, num_nodes)
        if graph.num_nodes != num_nodes:
            raise DataError(
                f"the graph has {graph.num_nodes} nodes, x has {num_nodes} rows. Where: Predictor. Give one row a node."
            )
        return graph


def _rows(old: Floats | Features, new: Floats | Features, nodes: Ints) -> Floats | Features:
    """Features of nodes by their number in the grown graph, in this order."""
    known = nodes < len(old)
    parts = [select(old, nodes[known]), select(new, nodes[~known] - len(old))]
    order = np.empty(len(nodes), np.int64)
    order[np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])] = np.arange(len(nodes))
    if isinstance(parts[0], Features) and isinstance(parts[1], Features):
        return parts[0].joined(parts[1]).rows(order)
    dense = [part.dense() if isinstance(part, Features) else part for part in parts]
    return np.concatenate(dense)[order]


def _no_edges(num_nodes: int) -> Area:
    """Nodes without a graph: for a student that reads none."""
    nothing = np.zeros(num_nodes, np.int64)
    return Area(np.zeros(num_nodes + 1, np.int64), nothing[:0], nothing, nothing)
