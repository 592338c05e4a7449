"""What can be done to a task's data: each a pure function TaskData -> TaskData in a file of its own."""

from graphstill.data.changes.edges import without_edges
from graphstill.data.changes.positions import with_columns, with_positions
from graphstill.data.changes.shuffled import with_shuffled_labels
from graphstill.data.changes.train_nodes import without_train_nodes
from graphstill.data.changes.walking import with_walks

__all__ = [
    "with_columns",
    "with_positions",
    "with_shuffled_labels",
    "with_walks",
    "without_edges",
    "without_train_nodes",
]
