"""A training step of a two-layer GCN written by hand in numpy and scipy, forward and backward: a bound, not a tool."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from graphstill.data import NodeTask
from graphstill.ops import SparseFeatures


class HandmadeGCN:
    """Sparse features whose transpose is kept, dropout on the stored values, Adam in place; no autograd, no checks.

    Calling it takes a step. `parameters` are weight and bias of both layers.
    """

    def __init__(self, task: NodeTask, width: int, dropout: float = 0.5) -> None:
        batch = task.training_batches(0)[0]
        assert isinstance(batch.x, SparseFeatures)
        graph, self.dropout, self.random = batch.graph.with_self_loops(), dropout, np.random.default_rng(0)
        x = sp.csr_matrix((batch.x.values.numpy(), batch.x.indices.numpy(), batch.x.ptr.numpy()), batch.x.shape)
        order = sp.csr_matrix((np.arange(x.nnz), x.indices, x.indptr), x.shape).T.tocsr()
        self.x, self.values, self.take = x, x.data.copy(), order.data
        self.xt = sp.csr_matrix((x.data[order.data], order.indices, order.indptr), order.shape)
        self.stored = self.xt.data.copy()
        weights = graph.gcn_weights(batch.x.dtype).values.numpy()
        self.a = sp.csr_matrix((weights, graph.source.numpy(), graph.ptr.numpy()), (task.num_nodes, task.num_nodes))
        self.at = self.a.T.tocsr()
        self.rows = batch.train_rows.numpy()
        self.y, self.each = batch.y.numpy()[self.rows], np.arange(len(self.rows))
        shapes = [(task.in_features, width), (width,), (width, task.num_outputs), (task.num_outputs,)]
        self.parameters: list[Any] = [self.random.standard_normal(s).astype(np.float32) * 0.1 for s in shapes]
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self.count = 0

    def __call__(self, lr: float = 0.005, decay: float = 5e-4) -> None:
        grads = self.gradients()
        self.count += 1
        one, two = 1 - 0.9**self.count, 1 - 0.999**self.count
        for w, g, (m, v) in zip(self.parameters, grads, self.moments, strict=True):
            g += decay * w
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            w -= lr / one * m / (np.sqrt(v / two) + 1e-8)

    def gradients(self) -> list[Any]:
        """Of the mean cross-entropy of the training nodes, by the parameters."""
        w1, b1, w2, b2 = self.parameters
        kept = self._mask(self.x.nnz)
        np.multiply(self.values, kept, out=self.x.data)
        np.multiply(self.stored, kept[self.take], out=self.xt.data)
        pre = self.a @ (self.x @ w1) + b1
        open_ = (pre > 0) * self._mask(pre.shape)
        h = pre * open_
        z = (self.a @ (h @ w2) + b2)[self.rows]
        z -= z.max(1, keepdims=True)
        p = np.exp(z)
        p /= p.sum(1, keepdims=True)
        p[self.each, self.y] -= 1
        back = np.zeros((len(h), p.shape[1]), dtype=np.float32)
        back[self.rows] = p / len(self.rows)
        through = self.at @ back
        down = (through @ w2.T) * open_
        return [self.xt @ (self.at @ down), down.sum(0), h.T @ through, back.sum(0)]

    def _mask(self, shape: Any) -> Any:
        kept = self.random.integers(0, 256, shape, dtype=np.uint8) >= self.dropout * 256
        return kept * np.float32(1 / (1 - self.dropout))
