"""A frozen network on a graph that has changed under it."""

from __future__ import annotations

import uuid
from typing import Any

import torch

from graphstill.data import NodeTask
from graphstill.engine.run import Run
from graphstill.method import stack_outputs


@torch.no_grad()
def frozen_test(run: Run, task: NodeTask) -> dict[str, Any]:
    """The test figures of a finished run, its weights as they are, on the graph as it is in `task`.

    The run is one of `task`, or of `task.origin` that had more edges or training nodes. Opens the test set of `task`;
    the run was selected by validation before, on its own graph.

    Returns:
        mean: for each seed the figure of the mean member; edges of the graph; opening: its record.

    Raises:
        DataError: the run was trained on other data.
    """
    name = f"{run.name}-frozen-{uuid.uuid4().hex[:8]}"
    task.check_teacher(run.result["data_hash"], f"the run {run.name!r}")
    opened = task.test.open(name, run.result["protocol"]["selected_by"])
    batch = opened.batch
    logits = stack_outputs([cohort(batch.x, batch.graph) for cohort in run.cohorts]).logits
    mean = opened.score(logits).view(len(run.seeds), run.peers).mean(1).tolist()
    opening = next(record for record in task.test.openings if record["run"] == name)
    return {"mean": mean, "edges": task.num_edges, "opening": opening}
