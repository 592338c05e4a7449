"""The model zoo: ``gs.models.GCN(hidden=16)``, and ``gs.models.foreign`` for any other module."""

from graphstill.nn import APPNP, GAT, GCN, GCNII, GIN, MLP, PLP, ROD, SGC, GraphSAGE, Model, foreign

__all__ = ["APPNP", "GAT", "GCN", "GCNII", "GIN", "MLP", "PLP", "ROD", "SGC", "GraphSAGE", "Model", "foreign"]
