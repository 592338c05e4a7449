"""What is learnt and what may be seen: node tasks, splits, the sealed test set, metrics, named datasets."""

from graphstill.data.batches import Batch
from graphstill.data.images.task import ImageTask
from graphstill.data.metrics import METRICS, Metric, accuracy, macro_f1, micro_f1, roc_auc
from graphstill.data.sealed import OpenedTest, SealedTest
from graphstill.data.splits import Split, per_class_split, random_split
from graphstill.data.tasks.graph import GraphTask
from graphstill.data.tasks.node import NodeTask

#: What `train` and `distill` take.
Task = NodeTask | GraphTask | ImageTask

__all__ = [
    "METRICS",
    "Batch",
    "GraphTask",
    "ImageTask",
    "Metric",
    "NodeTask",
    "OpenedTest",
    "SealedTest",
    "Split",
    "Task",
    "accuracy",
    "macro_f1",
    "micro_f1",
    "per_class_split",
    "random_split",
    "roc_auc",
]
