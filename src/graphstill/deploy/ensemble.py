"""Several members as one network: the mean of their probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from graphstill.deploy.families import steps_of
from graphstill.deploy.plan import Plan, PlanBuilder
from graphstill.errors import ExportError
from graphstill.nn import StackedCohort


def ensemble_plan(cohorts: Sequence[StackedCohort], multi_label: bool) -> Plan:
    """The plan whose logits are the log of the mean probability of all members (multi-label: its logit).

    Members of one cohort stand side by side in the registers, so that x is read once and neighbours are summed once.
    Written with log-sum-exp, where the engine's score takes the logarithm of a mean: equal, and finite where that
    underflows.

    Raises:
        ExportError: fewer than two members, or an architecture without a plan.
    """
    members = sum(cohort.members for cohort in cohorts)
    if members < 2:
        raise ExportError(
            f"an ensemble of {members} member, in graphstill.export: train several seeds or peers, or leave out member="
        )
    outputs = cohorts[0].outputs
    b = PlanBuilder(cohorts[0].inputs)
    logits = [steps_of(b, cohort) for cohort in cohorts]
    flat = logits[0] if len(logits) == 1 else b.node("Concat", *logits, axis=1)
    each = b.node("Reshape", flat, b.constant(np.array([-1, members, outputs])))
    if multi_label:
        yes, no = (_mean_log(b, _log_sigmoid(b, score)) for score in (each, b.node("Neg", each)))
        return b.finish(b.node("Sub", yes, no), outputs)
    mean = _mean_log(b, b.node("LogSoftmax", each, axis=-1))
    return b.finish(b.node("Sub", mean, b.constant(np.float32(math.log(members)))), outputs)


def ensemble_logits(logits: Tensor, multi_label: bool) -> Tensor:
    """What the plan computes, ``[members, nodes, outputs] -> [nodes, outputs]``, in double precision."""
    logits = logits.double()
    if multi_label:
        return logsigmoid(logits).logsumexp(0) - logsigmoid(-logits).logsumexp(0)
    return logits.log_softmax(-1).logsumexp(0) - math.log(len(logits))


class EnsembleModule(torch.nn.Module):
    """Members behind one ``forward(x, edge_index)``, as :func:`ensemble_logits` puts them together."""

    def __init__(self, members: Sequence[torch.nn.Module], multi_label: bool) -> None:
        super().__init__()
        self.members, self.multi_label = torch.nn.ModuleList(members), multi_label
        self.eval()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits = torch.stack([member(x, edge_index) for member in self.members])
        return ensemble_logits(logits, self.multi_label).to(logits.dtype)


def _mean_log(b: PlanBuilder, logs: str) -> str:
    """Over the members, without the division by their number."""
    return b.node("ReduceLogSumExp", logs, b.constant(np.array([1])), keepdims=0)


def _log_sigmoid(b: PlanBuilder, score: str) -> str:
    return b.node("Neg", b.node("Softplus", b.node("Neg", score)))
