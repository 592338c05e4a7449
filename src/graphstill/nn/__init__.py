"""Networks whose layers carry the member axis, model specifications, and adapters for any other module."""

from graphstill.nn.appnp import APPNP
from graphstill.nn.attention_conv import GATConv
from graphstill.nn.cohort import Cohort
from graphstill.nn.convs import GCN2Conv, GCNConv, GINConv, SAGEConv
from graphstill.nn.foreign import ForeignCohort, ForeignModel, OwnModel, foreign, wrap
from graphstill.nn.gat import GAT
from graphstill.nn.gcn import GCN
from graphstill.nn.gcnii import GCNII
from graphstill.nn.gin import GIN
from graphstill.nn.gine import GINE
from graphstill.nn.known import TransductiveModel
from graphstill.nn.known_labels import KnownLabels
from graphstill.nn.layers import BatchNorm, Linear
from graphstill.nn.mlp import MLP
from graphstill.nn.model import Model
from graphstill.nn.output import Hidden, Output
from graphstill.nn.plp import PLP
from graphstill.nn.registry import MODELS, find_model, make_model, register_model
from graphstill.nn.rod import ROD
from graphstill.nn.sage import GraphSAGE
from graphstill.nn.sgc import SGC
from graphstill.nn.stacked import StackedCohort

__all__ = [
    "APPNP",
    "GAT",
    "GCN",
    "GCNII",
    "GIN",
    "GINE",
    "MLP",
    "MODELS",
    "PLP",
    "ROD",
    "SGC",
    "BatchNorm",
    "Cohort",
    "ForeignCohort",
    "ForeignModel",
    "GATConv",
    "GCN2Conv",
    "GCNConv",
    "GINConv",
    "GraphSAGE",
    "Hidden",
    "KnownLabels",
    "Linear",
    "Model",
    "Output",
    "OwnModel",
    "SAGEConv",
    "StackedCohort",
    "TransductiveModel",
    "find_model",
    "foreign",
    "make_model",
    "register_model",
    "wrap",
]
