"""Labels of whole graphs: one class, or several tasks of which some answers are missing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.data.convert import as_tensor
from graphstill.data.validation import check_labels
from graphstill.errors import ConfigError, DataError


def check_graph_labels(y: Any, graphs: int, num_classes: int | None) -> tuple[Tensor, int]:
    """Labels as int64 [graphs] (a class each) or float32 [graphs, tasks] (0, 1, or NaN where missing), and outputs.

    Raises:
        DataError: neither of both.
    """
    labels = as_tensor(y, "y")
    if not labels.is_floating_point() and labels.dtype != torch.bool and (labels.ndim == 1 or labels.shape[1:] == (1,)):
        if labels.shape[0] != graphs:
            raise DataError(f"y has {labels.shape[0]} labels for {graphs} graphs: give one a graph")
        return check_labels(labels, graphs, num_classes)
    labels = labels.view(-1, 1) if labels.ndim == 1 else labels
    if labels.ndim != 2 or labels.shape[0] != graphs or not labels.shape[1]:
        raise DataError(
            f"y has shape {list(labels.shape)} for {graphs} graphs: labels are [graphs] (a class each) or "
            "[graphs, tasks] (zeros and ones, NaN where missing)"
        )
    labels = labels.to(torch.float32, copy=True)
    wrong = labels[~torch.isnan(labels) & (labels != 0) & (labels != 1)]
    if len(wrong):
        raise DataError(
            f"y holds {float(wrong[0]):g} in {labels.shape[1]} columns of floats: tasks are 0, 1, or NaN where "
            f"missing; "
            "classes are whole numbers, y.long()"
        )
    return labels, labels.shape[1]


def graph_metric(asked: str | None, name: str, labels: Tensor, outputs: int) -> str:
    """The metric of a graph task; the usual one where None was asked for. Raises ConfigError where it has no "
    "meaning."""
    fitting = ("mean_roc_auc", "mean_average_precision") if labels.ndim == 2 else ("accuracy",)
    if labels.ndim == 1 and outputs == 2:
        fitting = (*fitting, "roc_auc")
    if asked is None:
        return fitting[0]
    if asked not in fitting:
        raise ConfigError(
            f"metric={asked!r} of task {name!r}, whose graphs have "
            f"{'a class each' if labels.ndim == 1 else f'{outputs} labels'}: give {' or '.join(fitting)}, or leave it "
            "out"
        )
    return asked


def hide(labels: Tensor, test: Tensor) -> Tensor:
    """Labels without those of test graphs: -1, or NaN, there."""
    shown = labels.clone()
    shown[test] = float("nan") if labels.ndim == 2 else -1
    return shown
