"""Any torch module as a model: your own network, or one of PyG's."""

from graphstill.nn.foreign.cohort import ForeignCohort
from graphstill.nn.foreign.model import ForeignModel, foreign, wrap
from graphstill.nn.foreign.own import OwnModel

__all__ = ["ForeignCohort", "ForeignModel", "OwnModel", "foreign", "wrap"]
