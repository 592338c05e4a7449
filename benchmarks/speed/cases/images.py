"""What HKD adds to a step of KD, ResNet32x4 into ResNet8x4: 64 images, 50,000 in the memories."""

from __future__ import annotations

import torch
from benchmarks.speed import count
from benchmarks.speed.case import OURS, Built, Step, case

from graphstill.data import Batch
from graphstill.engine.live import LiveTeacher, no_edges
from graphstill.engine.optim import MemberSGD
from graphstill.losses import supervised
from graphstill.method import Method, Peers, Position, Spec, View
from graphstill.method import Step as TrainingStep
from graphstill.methods import HKD, KD
from graphstill.models import ResNet
from graphstill.ops import Noise

IMAGES, CLASSES, STORE, TEMPERATURE = 64, 100, 50_000, 4.0


class Networks:
    """A student, a frozen teacher, a batch, and the terms of a method between them."""

    def __init__(self, method: Method) -> None:
        torch.manual_seed(0)
        self.method = method
        self.student = ResNet(depth=8, width=4).build(3, CLASSES, [0])
        self.teacher = LiveTeacher(ResNet(depth=32, width=4).build(3, CLASSES, [1]), None, {})
        nodes, y = torch.randperm(STORE)[:IMAGES], torch.randint(CLASSES, (IMAGES,))
        rows, graph = torch.arange(IMAGES), no_edges(IMAGES, nodes.device)
        self.batch = Batch(torch.randn(IMAGES, 3, 32, 32), graph, y, rows, rows[:0], nodes, False)
        with torch.no_grad():
            shown = self.student(self.batch.x, graph)
        self.parts = method.build(
            Spec(
                runs=1,
                peers=1,
                seeds=[0],
                outputs=CLASSES,
                multi_label=False,
                student=shown,
                teacher=self.teacher.view(self.batch, 1),
                architecture="resnet",
                num_nodes=STORE,
                device=nodes.device,
                features=self.batch.x,
                graph=graph,
                full=False,
            )
        )
        named = list(self.student.named_parameters())
        own = [] if self.parts.joint is None else list(self.parts.joint.named_parameters())
        self.optimizer, self.joint = (MemberSGD(p, 0.05, 5e-4, 1, 1) for p in (named, own))

    def view(self) -> View:
        out = self.student(self.batch.x, self.batch.graph, Noise([0]))
        return View(out.logits, out.hidden, self.batch.graph, self.batch.nodes)

    def step(self, s: View) -> TrainingStep:
        d = s.detach()
        peers = Peers(d.logits, d.hidden, d.graph, d.nodes, 1, 1)
        return TrainingStep(Position(1, 0.5, 1), self.batch, self.parts, group=peers)


def kd_step() -> Step:
    """Teacher, student, gradient and update."""
    networks = Networks(KD(temperature=TEMPERATURE, alpha=None))

    def step() -> None:
        s, t = networks.view(), networks.teacher._outputs(networks.batch, 1)
        at = networks.step(s)
        loss = supervised(s.logits, networks.batch.y, False) + networks.method.loss(s, t, at)["soft"]
        networks.optimizer.zero_grad()
        loss.sum().backward()
        networks.optimizer.step()

    return step


def hkd_alone(method: HKD) -> Step:
    """All that HKD adds: its terms, their gradient down to the pooled features, its modules' update, the memories."""
    networks = Networks(method)
    with torch.no_grad():
        s, t = networks.view(), networks.teacher.view(networks.batch, 1)
    networks.parts.state["classes"].random_(CLASSES)  # every image was visited before
    for bank in ("student", "teacher"):
        networks.parts.state[bank].copy_(torch.nn.functional.normalize(torch.randn(1, STORE, method.width), dim=-1))
    pooled = s.hidden[-1].post.clone().requires_grad_()
    s.hidden = [*s.hidden[:-1], type(s.hidden[-1])(pooled, pooled, pooled)]
    at = networks.step(s)

    def step() -> None:
        pooled.grad = None
        networks.joint.zero_grad()
        torch.stack(list(method.loss(s, t, at).values())).sum().backward()
        networks.joint.step()
        with torch.no_grad():
            method.after_step(s, t, at)

    return step


@case(
    "hkd/resnet8x4",
    "what HKD adds to a step of KD, exact contrast with 50,000 images",
    unit="added to a step",
    rounds=3,
)
def hkd() -> Built:
    width = HKD().width
    work = 2 * 2 * count.matmul(2 * IMAGES, width, STORE)  # scores and gradients, two memories
    # The authors' code, one thread, the same kind of machine: a step of 7.9 s, of which KD alone is 3.5 s.
    return Built(
        {OURS: lambda: hkd_alone(HKD()), "a whole KD step": kd_step},
        work,
        {"images": IMAGES, "memory": STORE, "width": width},
        {"released code": 7.9 - 3.5},
    )
