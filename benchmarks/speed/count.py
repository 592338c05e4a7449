"""Bytes moved and floating-point operations, counted from shapes.

Counted is what an implementation that computes each operation by itself must move: every operand read and every result
written once, in float32, except that a sparse product reads a row of the dense operand for every stored value, since
the rows come in no order. A machine that keeps operands in its caches between operations can be faster than the count
at memory speed; that is why the share of the bandwidth is given, and the size at which the bandwidth was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FLOAT, INDEX = 4, 4


@dataclass(frozen=True)
class Work:
    """Of one step."""

    flops: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)

    def __mul__(self, times: float) -> Work:
        return Work(self.flops * times, self.bytes * times)

    __rmul__ = __mul__


def matmul(rows: int, inner: int, columns: int) -> Work:
    """Dense [rows, inner] @ [inner, columns]."""
    return Work(2.0 * rows * inner * columns, FLOAT * (rows * inner + inner * columns + rows * columns))


def linear(rows: int, inner: int, columns: int) -> Work:
    """A dense product with its two backward products."""
    return 3 * matmul(rows, inner, columns)


def spmm(stored: int, rows: int, width: int) -> Work:
    """Sparse [rows, any] with so many stored values @ dense [any, width]."""
    return Work(2.0 * stored * width, stored * (FLOAT * width + FLOAT + INDEX) + FLOAT * rows * width)


def sampled(stored: int, rows: int, width: int) -> Work:
    """Inner products of rows of two dense matrices at the stored places of a sparse one."""
    return Work(2.0 * stored * width, stored * (2 * FLOAT + INDEX) + FLOAT * width * (rows + stored))


def elementwise(count: float, arrays: int, flops: float = 1.0) -> Work:
    """An operation on each of `count` numbers that reads and writes so many arrays in all."""
    return Work(flops * count, FLOAT * count * arrays)


def adam(parameters: int) -> Work:
    """Reads weight, gradient and both moments, writes all but the gradient."""
    return elementwise(parameters, 7, 12)


def input_layer(nodes: int, stored: int, features: int, width: int, dropout: bool) -> Work:
    """Features, of which so many are stored, times weights, and the weights' gradient."""
    if stored < nodes * features:
        work = spmm(stored, nodes, width) + spmm(stored, features, width)
        return work + elementwise(stored, 6) * dropout
    return 2 * matmul(nodes, features, width) + elementwise(stored, 3) * dropout


def hidden(nodes: int, width: int, dropout: bool) -> Work:
    """Bias, activation and dropout, forward and backward."""
    return elementwise(nodes * width, 2) + 2 * elementwise(nodes * width, 3) * (2 if dropout else 1)


def gcn(nodes: int, edges: int, stored: int, widths: Sequence[int], dropout: bool = True, adamed: bool = True) -> Work:
    """A training step of GCN; `edges` with self-loops; `widths` from the features to the classes."""
    work = input_layer(nodes, stored, widths[0], widths[1], dropout)
    for i, (inner, outer) in enumerate(pairwise(widths)):
        if i:
            work += linear(nodes, inner, outer)
        work += 2 * spmm(edges, nodes, min(inner, outer) if i else outer)
        work += hidden(nodes, outer, dropout and i < len(widths) - 2)
    parameters = sum(a * b + b for a, b in pairwise(widths))
    return work + (adam(parameters) if adamed else Work())


def sage(nodes: int, edges: int, stored: int, widths: Sequence[int], dropout: bool = True) -> Work:
    """A training step of GraphSAGE: two products, of which the narrower side is aggregated."""
    doubled = [widths[0], *(2 * w for w in widths[1:])]
    work = input_layer(nodes, stored, widths[0], doubled[1], dropout)
    for i, (inner, outer) in enumerate(pairwise(widths)):
        if i:
            work += linear(nodes, inner, 2 * outer)
        work += 2 * spmm(edges, nodes, outer) + hidden(nodes, outer, dropout and i < len(widths) - 2)
    return work + adam(sum(2 * a * b + b for a, b in pairwise(widths)))


def gcnii(nodes: int, edges: int, stored: int, features: int, width: int, layers: int, classes: int) -> Work:
    """A training step of GCNII with dropout."""
    layer = 2 * spmm(edges, nodes, width) + linear(nodes, width, width) + hidden(nodes, width, True)
    layer += 2 * elementwise(nodes * width, 3, 2)
    ends = input_layer(nodes, stored, features, width, True) + linear(nodes, width, classes)
    return ends + layers * layer + adam(features * width + layers * width * width + width * classes)


def attention(nodes: int, edges: int, heads: int, width: int, backward: bool = True) -> Work:
    """Softmax over edges and the product with the values, by head; backward with sampled products."""
    softmax = elementwise(edges * heads, 6, 6)
    forward = softmax + heads * spmm(edges, nodes, width)
    if not backward:
        return forward
    return forward + softmax + heads * (spmm(edges, nodes, width) + sampled(edges, nodes, width))


def gat(nodes: int, edges: int, stored: int, features: int, shapes: Sequence[tuple[int, int]], dropout: bool) -> Work:
    """A training step of GAT; `shapes`: heads and width of each layer; `edges` with self-loops."""
    work, inner = Work(), features
    for i, (heads, width) in enumerate(shapes):
        outer = heads * width
        work += linear(nodes, inner, outer) if i else input_layer(nodes, stored, features, outer, dropout)
        work += 3 * elementwise(nodes * outer, 2, 4) + attention(nodes, edges, heads, width)
        work += hidden(nodes, outer, dropout and i < len(shapes) - 1) + adam(inner * outer)
        inner = outer
    return work


def edge_distance(nodes: int, edges: int, width: int) -> Work:
    """Squared distances at the edges by sampled products, and their gradient by two sparse products."""
    norms = 3 * elementwise(nodes * width, 2, 2)
    return sampled(edges, nodes, width) + 2 * spmm(edges, nodes, width) + norms + elementwise(edges, 8, 6)
