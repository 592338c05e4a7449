"""The engines of an exported folder, run as they will be served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from graphstill.data import NodeTask
from graphstill.deploy.parity import Case, Network, case_of
from graphstill.deploy.plan import Array
from graphstill.deploy.quantize import as_array, feed
from graphstill.ops import SparseFeatures
from graphstill.runtime import Features, Graph, Predictor
from graphstill.runtime.engines import open_session
from graphstill.runtime.manifest import MODELS

THREADS = 1
#: The engines that read dense features are not given more numbers than this at once (1 GiB).
DENSE_LIMIT = 2**28
#: Size of the random graph that stands in for the task's where there is none.
STAND_IN_NUMBERS, STAND_IN_EDGES = 2**24, 10**6


class Engines:
    """Predictors of one folder, and the inputs of cases as each of them takes them: sparse ones stay so in "split"."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self.folder = folder
        self.predictors = {name: Predictor(folder, threads=THREADS, engine=name) for name in names}

    def run(self, name: str) -> Callable[[Case], Array]:
        """What parity is measured with."""
        return lambda case: self.prepared(name, case)()

    def file(self) -> Callable[[Case], Array]:
        """``model.onnx`` by itself, with the edges in the order in which they come: the runtime sorts them."""
        session = open_session(self.folder / MODELS["onnx"], THREADS)
        inputs = [port.name for port in session.get_inputs()]

        def run(case: Case) -> Array:
            logits: Array = session.run(["logits"], feed(inputs, as_array(case.x), case.edge_index))[0]
            return logits

        return run

    def prepared(self, name: str, case: Case) -> Callable[[], Array]:
        """One prediction for all nodes; what can be kept over calls is made before."""
        predictor = self.predictors[name]
        x = features(case.x) if name == "split" else as_array(case.x)
        graph = Graph(case.edge_index, len(case.x)) if predictor.needs_graph else None
        return lambda: predictor.logits(x, graph)


def features(x: SparseFeatures | torch.Tensor) -> Features | Array:
    """Features as the runtime takes them."""
    if isinstance(x, torch.Tensor):
        return as_array(x)
    return Features(x.values.numpy(), x.indices.numpy(), x.ptr.numpy(), x.shape)


def fits(name: str, case: Case) -> bool:
    """Whether an engine is given the case: sparse features may be too many to be made dense."""
    return name == "split" or isinstance(case.x, torch.Tensor) or case.x.shape[0] * case.x.shape[1] <= DENSE_LIMIT


def task_case(task: NodeTask, network: Network) -> Case:
    """The whole graph of a task."""
    batch = task.full_batch()
    return case_of(f"the graph of {task.name}", network, batch.x, batch.graph.edge_index().numpy())


def stand_in_case(nodes: int, edges: int, width: int, network: Network) -> Case:
    """A random graph of such a size (smaller where that is large), with dense features of which most are zero."""
    share = min(1.0, STAND_IN_NUMBERS / (nodes * width), STAND_IN_EDGES / max(edges, 1))
    nodes, edges = max(1, int(share * nodes)), int(share * edges)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((nodes, width), np.float32) * (rng.random((nodes, width), np.float32) < 0.05)
    edge_index = rng.integers(nodes, size=(2, edges))
    return case_of(f"a random graph of {nodes:,} nodes and {edges:,} edges", network, torch.from_numpy(x), edge_index)
