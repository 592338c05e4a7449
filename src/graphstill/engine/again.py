"""The students once more within a step, on features that a method has changed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from graphstill.data import Batch
from graphstill.engine.group import Block
from graphstill.nn import Output
from graphstill.nn.inputs import as_dense
from graphstill.ops import Adjacency


@dataclass(frozen=True)
class Again:
    """What `Step.forward` calls: the outputs of a block's newest weights with the noise of the step, attached.

    Running statistics (batch normalisation) are left as they were: they are those of the real features.
    """

    block: Block
    batch: Batch
    number: int

    def __call__(self, x: Tensor, rows: Tensor) -> Output:
        """x [M, n, F], the features of the batch's `rows` int64 [M, n] -> outputs [M, n, ...] of these rows."""
        cohort, batch = self.block.cohort, self.batch
        if cohort.graphless:
            nothing = torch.zeros(2, 0, dtype=torch.int64, device=x.device)
            return self._run(x, Adjacency.from_edge_index(nothing, x.shape[1]))
        everything = as_dense(batch.x).expand(len(x), -1, -1)
        index = rows.unsqueeze(-1)
        out = self._run(everything.scatter(1, index.expand_as(x), x), batch.graph)
        return Output(out.logits.gather(1, index.expand(-1, -1, out.logits.shape[-1])))

    def _run(self, x: Tensor, graph: Adjacency) -> Output:
        cohort = self.block.cohort
        noise = None if cohort.noiseless else self.block.noise.at(self.number)
        copies = {name: buffer.clone() for name, buffer in cohort.named_buffers()}
        out: Output = functional_call(cohort, copies, (x, graph, noise))
        return out
