"""A method on image features: random maps of two students and a teacher, as networks of two stages give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphstill.data import Batch
from graphstill.method import Method, Parts, Position, Spec, Step, View
from graphstill.nn import Hidden, Output
from graphstill.ops import Adjacency

MEMBERS, IMAGES, CLASSES, STORE = 2, 10, 3, 40
Shapes = Sequence[tuple[int, ...]]
#: Two stages and the pooled vector.
STUDENT: Shapes = ((4, 8, 8), (6, 4, 4), (6,))
TEACHER: Shapes = ((5, 8, 8), (8, 4, 4), (8,))


@dataclass
class Images:
    """Views of one batch; the student's tensors are leaves with a gradient."""

    s: View
    t: View
    step: Step
    spec: Spec

    def move(self, **position: float) -> None:
        """Another position of the step: `epoch`, `progress` or `number`."""
        self.put(at=replace(self.step.at, **position))  # type: ignore[arg-type]

    def put(self, **changes: Any) -> None:
        """Another part of the step."""
        self.step = replace(self.step, **changes)

    @property
    def parts(self) -> Parts:
        return self.step.parts


def set_images(
    method: Method,
    student: Shapes = STUDENT,
    teacher: Shapes = TEACHER,
    images: int = IMAGES,
    dtype: torch.dtype = torch.float64,
) -> Images:
    """The method's modules on random features; images 3, 6, 9, … of a store of 40."""
    g = torch.Generator().manual_seed(0)

    def outputs(members: int, shapes: Shapes) -> tuple[Tensor, list[Hidden]]:
        def draw(*shape: int) -> Tensor:
            return torch.randn(members, images, *shape, generator=g, dtype=dtype).requires_grad_(members > 1)

        pre = [draw(*shape) for shape in shapes]
        return draw(CLASSES), [Hidden(x, x.relu(), x.relu()) for x in pre]

    graph = Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), images)
    nodes = torch.arange(3, 3 * images + 1, 3)
    (z, h), (z_t, h_t) = outputs(MEMBERS, student), outputs(1, teacher)
    s, t = View(z, h, graph, nodes), View(z_t, h_t, graph, nodes)
    y = torch.randint(CLASSES, (images,), generator=g)
    detached = s.detach()
    spec = Spec(
        runs=MEMBERS,
        peers=1,
        seeds=[3, 7],
        outputs=CLASSES,
        multi_label=False,
        student=Output(detached.logits, tuple(detached.hidden)),
        teacher=t,
        architecture="cnn",
        num_items=STORE,
        device=torch.device("cpu"),
        features=torch.zeros(images, 3, 8, 8),
        graph=graph,
        full=False,
    )
    # Modules are made in the default precision.
    single = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        parts = method.build(spec)
    finally:
        torch.set_default_dtype(single)
    rows = torch.arange(images)
    batch = Batch(spec.features, graph, y, rows, rows[:0], nodes, False)
    step = Step(Position(0, 0.0), batch, parts)
    return Images(s, t, step, spec)
