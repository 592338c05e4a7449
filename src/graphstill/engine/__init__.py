"""Training: one loop, selection by validation, checkpoints, and the runs that come of it."""

from graphstill.engine.api import distill, train
from graphstill.engine.frozen import frozen_test
from graphstill.engine.given import evaluate
from graphstill.engine.knowledge import Knowledge, Teacher
from graphstill.engine.run import Run, Summary
from graphstill.engine.teaching import Ensemble
from graphstill.engine.training import Training

__all__ = [
    "Ensemble",
    "Knowledge",
    "Run",
    "Summary",
    "Teacher",
    "Training",
    "distill",
    "evaluate",
    "frozen_test",
    "train",
]
