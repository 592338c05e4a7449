"""Networks that have the training labels as an input: what they get to know, and what they cannot be trained by."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphstill.data import Task
from graphstill.engine.training import Training
from graphstill.errors import ConfigError, MethodError
from graphstill.method import Composite, Method
from graphstill.nn import KnownLabels, Model, TransductiveModel


def known_labels(models: Sequence[Model], task: Task) -> KnownLabels | None:
    """The labels of the task's training nodes and no other, for models that have them as an input; None without such.

    Raises:
        ConfigError: the task is inductive, or multi-label.
    """
    model = _transductive(models)
    if model is None:
        return None
    if task.inductive:
        raise ConfigError(
            f"model {model.name!r} has weights for each node of one graph, but task {task.name!r} is inductive and "
            "tests on nodes that training does not see: use a transductive task, or an inductive network"
        )
    if task.multi_label:
        raise ConfigError(
            f"model {model.name!r} propagates one class a node, but task {task.name!r} is multi-label: use "
            "another model"
        )
    return KnownLabels.of(task.num_nodes, task.train_index, task.y[task.train_index])


def refuse_known_targets(models: Sequence[Model], method: Method | Composite, training: Training) -> None:
    """A network fits labels that are its input before the first step, so that learning them teaches it nothing.

    Raises:
        MethodError: the method, or a warm-up, has them as targets.
    """
    model = _transductive(models)
    if model is None:
        return
    supervised = any(
        math.prod(term.method.supervision(progress) for term in method.terms) for progress in (0.0, 0.5, 1.0)
    )
    if supervised or training.warmup:
        what = f"a warm-up of {training.warmup} epochs" if not supervised else method.formula()
        raise MethodError(
            f"model {model.name!r} has the training labels as an input, but they are targets of {what}, where it has "
            "no error to learn from: use a method that learns from a teacher alone, such as CPF() or KD(alpha=1.0), "
            "without a warm-up"
        )


def _transductive(models: Sequence[Model]) -> TransductiveModel | None:
    return next((model for model in models if isinstance(model, TransductiveModel)), None)
