"""What is odd about a run, in words: it stands in the result, so that nobody mistakes it for an ordinary figure."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn

from graphstill.data import Task
from graphstill.data.metrics import METRICS
from graphstill.engine.levels import chance, constant_level
from graphstill.errors import GraphstillWarning
from graphstill.losses import supervised
from graphstill.nn.foreign.calling import unmet_wishes
from graphstill.nn.member import Member

#: Sample deviation of the validation figure over seeds above which it is said.
SPREAD = 0.05
#: Mean largest probability from which a teacher counts as sure of itself.
SURE = 0.6


#: Codes of what `of_students` finds.
OF_STUDENTS = ("student at chance", "seeds differ", "never improved")


@dataclass(frozen=True)
class Doubt:
    """One odd thing.

    Attributes:
        code: a fixed word, for programs. text: what is odd, where, and what to do. figures: the numbers in it.
    """

    code: str
    text: str
    figures: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def announce(doubts: Sequence[Doubt]) -> list[dict[str, Any]]:
    """Warn of each, and return them as plain values for the result."""
    for doubt in doubts:
        warnings.warn(doubt.text, GraphstillWarning, stacklevel=4)
    return [doubt.as_dict() for doubt in doubts]


def figures_of(logits: Tensor, y: Tensor, metric: str, multi_label: bool) -> dict[str, list[float]]:
    """Metric and cross-entropy of each member on some items, logits [T, n, C]."""
    loss = supervised(logits, y, multi_label)
    return {metric: METRICS[metric](logits, y).tolist(), "loss": [round(value, 6) for value in loss.tolist()]}


def of_students(
    task: Task, validation: Sequence[float], epochs: Sequence[int], trained: int, peers: int
) -> list[Doubt]:
    """Members at the level of chance, seeds that differ widely, and members that never got better.

    Args:
        validation, epochs: of each member, its selected figure and epoch. trained: epochs that there were.
    """
    found, y = [], task.y[task.val_index]
    limit, level = chance(y, task.metric), constant_level(y, task.metric)
    low = [i for i, value in enumerate(validation) if value <= limit]
    if low:
        found.append(
            Doubt(
                "student at chance",
                f"{len(low)} of {len(validation)} members validate at {max(validation[i] for i in low):.4f} or below, "
                f"where one answer for everything reaches {level:.4f} on the {len(y)} validation items: nothing was "
                "learnt that shows there; check labels, features and the learning rate before the figures are used",
                {"members": low, "validation": [validation[i] for i in low], "constant": level, "chance": limit},
            )
        )
    seeds = [statistics.fmean(validation[i : i + peers]) for i in range(0, len(validation), peers)]
    spread = statistics.stdev(seeds) if len(seeds) > 1 else 0.0
    if spread > SPREAD:
        found.append(
            Doubt(
                "seeds differ",
                f"the validation figure of {len(seeds)} seeds lies between {min(seeds):.4f} and {max(seeds):.4f} "
                f"(deviation {spread:.4f}): some trainings have collapsed, and a mean over them describes none; try a "
                "lower learning rate, less dropout or a wider network",
                {"deviation": spread, "validation": seeds},
            )
        )
    early = [i for i, epoch in enumerate(epochs) if epoch <= 1]
    if early and trained >= 20:
        found.append(
            Doubt(
                "never improved",
                f"{len(early)} of {len(epochs)} members are best after their first epoch of {trained}: training made "
                "them worse; lower the learning rate or the weight of the distilling terms",
                {"members": early, "epochs": trained},
            )
        )
    return found


def of_teacher(figures: dict[str, Any], logits: Tensor, task: Task) -> list[Doubt]:
    """A teacher at the level of chance, and one whose logits are probabilities.

    Args:
        figures: what `figures_of` said on "train" and "validation" items. logits: [T, n, C] of known items.
    """
    found = []
    for part, index in (("validation", task.val_index), ("train", task.train_index)):
        if part not in figures:
            continue
        y = task.y[index]
        value, limit = max(figures[part][task.metric]), chance(y, task.metric)
        if value > limit:
            continue
        share = logits.sigmoid().sub(0.5).abs().add(0.5) if task.multi_label else logits.softmax(-1).amax(-1)
        sure = float(share.mean())
        hint = " It is sure of its answers: are its rows in the order of the task's items?" if sure > SURE else ""
        found.append(
            Doubt(
                "teacher at chance",
                f"the teacher reaches {value:.4f} on the {part} items of task {task.name!r}, where one answer for "
                f"everything reaches {constant_level(y, task.metric):.4f}: it knows nothing of them.{hint} Check that "
                "it "
                "was trained on these labels, in this order of classes and items",
                {"part": part, "figure": value, "chance": limit, "certainty": sure},
            )
        )
        break
    if are_probabilities(logits, task.multi_label):
        found.append(
            Doubt(
                "probabilities",
                "the teacher's outputs are probabilities ("
                + ("all between 0 and 1" if task.multi_label else "no row has a negative number, each adds up to 1")
                + "), but are taken for logits, which flattens them: give what comes before the "
                + ("sigmoid" if task.multi_label else "softmax")
                + ", or their logarithm",
            )
        )
    return found


def are_probabilities(logits: Tensor, multi_label: bool) -> bool:
    """Whether outputs [T, n, C] look like the result of a softmax (multi-label: of a sigmoid)."""
    if not logits.numel() or bool((logits < 0).any()) or bool((logits > 1.001).any()):
        return False
    return multi_label or bool((logits.sum(-1) - 1).abs().max() < 1e-2)


def of_module(module: nn.Module, who: str, unused: Sequence[str], given: Sequence[str] = ()) -> list[Doubt]:
    """A module that takes weights or features of edges, and gets none.

    Args:
        unused: those that the data had; given: those that modules are given.
    """
    wishes = [] if isinstance(module, Member) else unmet_wishes(module)
    names = [name for name in wishes if name not in given]  # members of ours say what they miss
    if not names or (type(module).__module__.startswith("torch_geometric.") and not unused):
        return []
    had = f" The data have {' and '.join(unused)}, which are not used." if unused else ""
    return [
        Doubt(
            "edges without weights",
            f"{type(module).__name__}, the {who}, takes {' and '.join(names)}, and is given none: models here see "
            "edges "
            f"as present or absent.{had} If it was trained with them its outputs are others here: give its logits",
            {"parameters": list(names), "unused": list(unused)},
        )
    ]


def below_twin(teacher: Sequence[float], twin: Sequence[float], metric: str) -> list[Doubt]:
    """A teacher whose mean validation figure is below that of the undistilled student."""
    ours, theirs = statistics.fmean(teacher), statistics.fmean(twin)
    if ours >= theirs:
        return []
    return [
        Doubt(
            "teacher below student",
            f"the teacher validates at {metric} {ours:.4f}, below the undistilled student's {theirs:.4f}: it has "
            "little "
            "to teach, and may do harm; train a better teacher, or leave it out",
            {"teacher": ours, "undistilled": theirs},
        )
    ]
