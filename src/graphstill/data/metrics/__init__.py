"""Metrics: pure functions of logits and labels, one float64 value a member, none of which keeps a state."""

from functools import partial

from graphstill.data.metrics.classes import accuracy, macro_f1, micro_f1, roc_auc
from graphstill.data.metrics.links import (
    candidate_mrr,
    hits_at,
    link_auc,
    link_average_precision,
    link_ranks,
    mean_reciprocal_rank,
    of_labels,
    ranked_hits_at,
)
from graphstill.data.metrics.regression import mean_absolute_error, root_mean_squared_error
from graphstill.data.metrics.tasks import mean_average_precision, mean_roc_auc, tasks_scored
from graphstill.data.metrics.unseen import Generalised, class_hit_at, generalised_accuracy
from graphstill.data.metrics.value import Metric

#: By the names of recipes and results.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy),
        Metric("micro_f1", micro_f1),
        Metric("macro_f1", macro_f1),
        Metric("roc_auc", roc_auc),
        Metric("mean_roc_auc", mean_roc_auc),
        Metric("mean_average_precision", mean_average_precision),
        Metric("link_auc", of_labels(link_auc)),
        Metric("link_ap", of_labels(link_average_precision)),
        *(Metric(f"hits@{k}", of_labels(partial(hits_at, k=k))) for k in (1, 10, 20, 50, 100)),
        Metric("mrr", candidate_mrr),
        Metric("mae", mean_absolute_error, higher_is_better=False),
        Metric("rmse", root_mean_squared_error, higher_is_better=False),
    )
}

__all__ = [
    "METRICS",
    "Generalised",
    "Metric",
    "accuracy",
    "candidate_mrr",
    "class_hit_at",
    "generalised_accuracy",
    "hits_at",
    "link_auc",
    "link_average_precision",
    "link_ranks",
    "macro_f1",
    "mean_absolute_error",
    "mean_average_precision",
    "mean_reciprocal_rank",
    "mean_roc_auc",
    "micro_f1",
    "of_labels",
    "ranked_hits_at",
    "roc_auc",
    "root_mean_squared_error",
    "tasks_scored",
]
