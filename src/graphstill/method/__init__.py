"""What a method is and is made of: its base, what it sees, what it may build, and the registry of their names."""

from graphstill.method.base import Composite, Method, Term
from graphstill.method.reference import Reference
from graphstill.method.registry import METHODS, find_method, make_method, register
from graphstill.method.spec import Needs, Parts, Spec
from graphstill.method.step import Nodes, Position, Step
from graphstill.method.view import Peers, View, map_hidden, stack_outputs

__all__ = [
    "METHODS",
    "Composite",
    "Method",
    "Needs",
    "Nodes",
    "Parts",
    "Peers",
    "Position",
    "Reference",
    "Spec",
    "Step",
    "Term",
    "View",
    "find_method",
    "make_method",
    "map_hidden",
    "register",
    "stack_outputs",
]
