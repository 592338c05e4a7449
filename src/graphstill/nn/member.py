"""One member of a stacked cohort as an ordinary module."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from graphstill.errors import DataError
from graphstill.nn.cohort import Cohort
from graphstill.ops import Adjacency, Noise, SparseFeatures


class Member(nn.Module):
    """A standalone network with one member's weights; its ``state_dict`` has no member axis.

    Evaluation is its initial mode. After ``train()`` it drops out with torch's global random numbers, so that it can be
    fine-tuned like any module.
    """

    def __init__(self, cohort: Cohort) -> None:
        """``cohort`` has one member; its weights are taken over, not copied."""
        super().__init__()
        self.spec, self.inputs, self.outputs, self.seed = cohort.spec, cohort.inputs, cohort.outputs, cohort.seeds[0]
        for name, parameter in cohort.named_parameters():
            self._put(name, nn.Parameter(parameter[0].detach(), parameter.requires_grad))
        for name, buffer in cohort.named_buffers():
            self._put(name, buffer[0])
        # In a list, so that torch does not see it as a part: it only says how to compute, with the weights above.
        self._network = [cohort.to("meta")]
        self.eval()

    def forward(
        self,
        x: Tensor | SparseFeatures,
        edge_index: Tensor | Adjacency,
        batch: Tensor | None = None,
        edge_attr: Tensor | None = None,
    ) -> Tensor:
        """Logits ``[nodes, outputs]``, or ``[graphs, outputs]`` of a network with a readout.

        Shapes:
            x: ``[nodes, inputs]``, dense or sparse. edge_index: int64 ``[2, edges]`` (sources, targets), or an
            adjacency, which saves sorting the edges at every call. batch: int64 ``[nodes]``, the number of each node's
            graph, rising from 0 without gaps, as PyG has it; None: all nodes are of one graph. edge_attr: ``[edges,
            features]`` in the order of edge_index, for networks that read it.

        Raises:
            DataError: features that are not ``[nodes, inputs]`` or not of the weights' precision, edges that are not
                ``[2, edges]`` or that name a node that does not exist.
        """
        if len(x.shape) != 2:
            raise DataError(f"features of shape {list(x.shape)} for {self.spec}: give [nodes, {self.inputs}]")
        graph = edge_index
        if not isinstance(graph, Adjacency):
            graph = Adjacency.from_edge_index(graph, x.shape[0], edge_attr)
            graph.graph_ptr = _bounds(batch, x.shape[0], x.device)
        noise = Noise([int(torch.randint(2**62, ()))], x.device) if self.training else None
        state = {name: tensor.unsqueeze(0) for name, tensor in (*self.named_parameters(), *self.named_buffers())}
        logits: Tensor = functional_call(self._network[0], state, (x, graph, noise)).logits
        return logits[0]

    def extra_repr(self) -> str:
        return f"{self.spec}, inputs={self.inputs}, outputs={self.outputs}"

    def _put(self, name: str, tensor: Tensor) -> None:
        *path, leaf = name.split(".")
        home: nn.Module = self
        for part in path:
            if part not in home._modules:
                home.add_module(part, nn.Module())
            home = home.get_submodule(part)
        if isinstance(tensor, nn.Parameter):
            home.register_parameter(leaf, tensor)
        else:
            home.register_buffer(leaf, tensor)


def _bounds(batch: Tensor | None, nodes: int, device: torch.device) -> Tensor:
    """Where each graph begins, int64 [graphs + 1].

    Raises:
        DataError: `batch` is not one number a node that rises from 0 without gaps.
    """
    if batch is None:
        return torch.tensor([0, nodes], device=device)
    good = batch.dim() == 1 and len(batch) == nodes and not batch.is_floating_point()
    steps = batch.diff() if good else batch
    if not good or (nodes and int(batch[0]) != 0) or (len(steps) and (int(steps.min()) < 0 or int(steps.max()) > 1)):
        raise DataError(
            f"batch is {batch.dtype} {list(batch.shape)} for {nodes} nodes: give each node the number of its graph, "
            "rising from 0 without gaps, as torch_geometric.data.Batch has it"
        )
    return torch.nn.functional.pad(torch.bincount(batch).cumsum(0), (1, 0))
