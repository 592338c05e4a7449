"""Data from whose labels nothing can be learnt: the control of a study of transfer."""

from __future__ import annotations

import torch

from graphstill.data.splits import stream
from graphstill.data.taskdata import TaskData


def with_shuffled_labels(data: TaskData, seed: int = 0) -> TaskData:
    """Training items have each other's labels, and validation items too. See `NodeTask.with_shuffled_labels`."""
    generator, y = stream(seed, "shuffled labels"), data.y.clone()
    for index in (data.train, data.val):
        order = torch.from_numpy(generator.permutation(len(index))).to(index.device)
        y[index] = data.y[index[order]]
    return data.changed(y=y, facts=data.told(labels_shuffled=seed))
