"""Any torch module as a model: your own network, or one of PyG's."""

from graphstill.nn.foreign.cohort import ForeignCohort
from graphstill.nn.foreign.model import ForeignModel, foreign, wrap

__all__ = ["ForeignCohort", "ForeignModel", "foreign", "wrap"]
