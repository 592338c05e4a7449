"""The terms of a run's loss: each method with its modules, optimisers and state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphstill.data import Batch, NodeTask, Task
from graphstill.engine.group import Group
from graphstill.engine.knowledge import Knowledge
from graphstill.engine.live import LiveTeacher
from graphstill.engine.optim import MemberAdam, MemberOptimizer, make_optimizer
from graphstill.engine.seeds import PARTS, member_seeds
from graphstill.engine.training import Training
from graphstill.errors import MethodError
from graphstill.method import Composite, Method, Parts, Peers, Spec, Step, View


@dataclass
class ActiveTerm:
    """A method at work: its weight, modules and optimisers."""

    key: str
    method: Method
    weight: float
    parts: Parts
    joint: MemberOptimizer | None
    adversary: MemberOptimizer | None

    def target(self, teacher: View | None, peers: Peers) -> View | None:
        """What the method is shown as `t`."""
        if self.method.needs.teacher:
            return teacher
        return peers if self.method.needs.peers else None

    def own(self, step: Step) -> Step:
        """The step with the modules and state of this term."""
        return replace(step, parts=self.parts)

    def tensors(self) -> dict[str, Tensor]:
        """Live tensors for checkpoints."""
        named = {f"state/{k}": v for k, v in self.parts.state.items()}
        for role, module, optimizer in (
            ("joint", self.parts.joint, self.joint),
            ("adversary", self.parts.adversary, self.adversary),
        ):
            if module is not None and optimizer is not None:
                named |= {f"{role}/{k}": v for k, v in module.state_dict().items()}
                named |= {f"{role}.adam/{k}": v for k, v in optimizer.tensors().items()}
        return named


def check(method: Method | Composite, teacher: Knowledge | LiveTeacher | None, peers: int) -> None:
    """Refuse a method that cannot run on what it is given, with the reason.

    Raises:
        MethodError: a teacher, its hidden layers, or peers are missing.
    """
    for term in method.terms:
        needs, name = term.method.needs, term.method.name
        if needs.teacher and teacher is None:
            raise MethodError(f"method {name!r} needs a teacher: pass teacher=, a run, a module or an array of logits")
        if needs.peers and peers < 2:
            raise MethodError(f"method {name!r} needs at least two peers, but peers is {peers}: pass peers=4, say")
        if needs.teacher_hidden and teacher is not None and not teacher.has_hidden:
            raise MethodError(
                f"method {name!r} compares hidden features, but the teacher is known by its logits alone "
                f"({teacher.source}): pass the trained run, or a module with taps"
            )
        if needs.teacher_sensitivity and teacher is not None and teacher.sensitivity is None:
            raise MethodError(
                f"method {name!r} asks the teacher about perturbed features, but the teacher is known by its outputs "
                f"alone ({teacher.source}): pass the trained run or module"
            )
    if teacher is not None and not any(t.method.needs.teacher for t in method.terms):
        names = ", ".join(t.method.name for t in method.terms) or "none"
        raise MethodError(f"a teacher is given, but no method uses one (methods: {names}): leave it out, or add KD()")


def build(
    method: Method | Composite,
    group: Group,
    task: Task,
    batch: Batch,
    knowledge: Knowledge | LiveTeacher | None,
    training: Training,
    run_seeds: list[int],
    architecture: str,
) -> list[ActiveTerm]:
    """Modules and optimisers of every term. The random state of other streams is not touched."""
    for term in method.terms:
        if term.method.needs.graph and task.kind != "graph":
            raise MethodError(
                f"method {term.method.name!r} compares nodes along the edges of a graph, but task {task.name!r} is "
                f"made of images, which have none: choose one that compares features or outputs, such as kd or hkd"
            )
        if term.method.needs.graphs and task.item != "graph":
            raise MethodError(
                f"method {term.method.name!r} compares whole graphs, but the items of task {task.name!r} are "
                f"{task.item}s: use a GraphTask, or another method"
            )
        if term.method.only_nodes and task.item == "graph":
            raise MethodError(
                f"method {term.method.name!r} cannot be used on task {task.name!r}, whose items are whole graphs: "
                f"{term.method.only_nodes}"
            )
    curricula = [t.method.name for t in method.terms if t.method.smoothing(0) is not None]
    if len(curricula) > 1:
        raise MethodError(f"two curricula of smoothing ({', '.join(curricula)}) in one sum: keep one")
    check(method, knowledge, group.peers)
    teacher = None if knowledge is None else knowledge.view(batch, group.peers)
    spec = Spec(
        runs=group.runs,
        peers=group.peers,
        seeds=member_seeds(run_seeds, group.peers, PARTS),
        outputs=task.num_outputs,
        multi_label=task.multi_label,
        student=group.outputs(batch),
        teacher=teacher,
        architecture=architecture,
        num_items=task.num_items,
        device=batch.nodes.device,
        features=batch.x,
        graph=batch.graph,
        full=batch.full,
        seen=_seen(task),
        item=task.item,
        teacher_sensitivity=None if knowledge is None else knowledge.sensitivity_of_members(group.peers),
    )
    masked = len(group.blocks) > 1
    active: list[ActiveTerm] = []
    for number, term in enumerate(method.terms):
        if term.method.needs.hidden and not spec.student.hidden:
            raise MethodError(
                f"method {term.method.name!r} needs hidden features, but the student ({architecture}) has no hidden "
                f"layer that all members share: use at least two layers, or taps for a foreign module"
            )
        if term.method.needs.heads and spec.student.heads is None:
            raise MethodError(
                f"method {term.method.name!r} trains a network with several classifiers, but the student "
                f"({architecture}) has one: use the model 'rod'"
            )
        parts = term.method.build(spec)
        joint = adversary = None
        if parts.joint is not None:
            parts.joint.to(spec.device)
            named = list(parts.joint.named_parameters())
            joint = make_optimizer(training, named, group.runs, group.peers, masked)
        if parts.adversary is not None:
            parts.adversary.to(spec.device).requires_grad_(False)
            lr = training.lr if parts.adversary_lr is None else parts.adversary_lr
            named = list(parts.adversary.named_parameters())
            adversary = MemberAdam(named, lr, parts.adversary_weight_decay, group.runs, group.peers)
        active.append(ActiveTerm(f"{number}.{term.method.name}", term.method, term.weight, parts, joint, adversary))
    return active


def _seen(task: Task) -> Tensor | None:
    """Which items of the task training sees; None for all."""
    if not isinstance(task, NodeTask):
        return task.train_index
    nodes = torch.cat([batch.nodes for batch in task.training_graphs()])
    return nodes if len(nodes) < task.num_items else None


def adversary_steps(terms: Sequence[ActiveTerm], teacher: View | None, peers: Peers, step: Step) -> None:
    """One step of every discriminator whose turn it is. The students are shown to it as peers, that is detached."""
    progress = step.at.progress
    for term in terms:
        if term.adversary is None or term.parts.adversary is None or term.weight * term.method.ramp(progress) == 0:
            continue
        if step.at.epoch % term.parts.adversary_every != 0:
            continue
        term.parts.adversary.requires_grad_(True)
        loss = term.method.adversary_loss(peers, term.target(teacher, peers), term.own(step))
        term.adversary.zero_grad()
        loss.sum().backward()
        term.adversary.step()
        # Frozen while the students learn: their backward pass needs no gradient of the discriminators' weights.
        term.parts.adversary.requires_grad_(False)


def total_loss(
    terms: Sequence[ActiveTerm], s: View, teacher: View | None, peers: Peers, step: Step, share: float = 1.0
) -> tuple[float, dict[str, Tensor]]:
    """The factor on the supervised loss, and every weighted term [M] by name.

    A `share` below 1 takes so much of the methods' loss and the rest of the plain supervised one.
    """
    supervision, named = 1.0, dict[str, Tensor]()
    for term in terms:
        factor = share * term.weight * term.method.ramp(step.at.progress)
        supervision *= term.method.supervision(step.at.progress)
        if factor == 0:
            continue
        for key, value in term.method.loss(s, term.target(teacher, peers), term.own(step)).items():
            named[f"{term.key}.{key}"] = value if factor == 1 else factor * value
    # Not by the formula where share is 1: 1 - (1 - 0.1) is not 0.1 in the last bit.
    return supervision if share == 1 else 1 - share * (1 - supervision), named


@torch.no_grad()
def after_step(terms: Sequence[ActiveTerm], s: View, teacher: View | None, peers: Peers, step: Step) -> None:
    for term in terms:
        term.method.after_step(s, term.target(teacher, peers), term.own(step))
