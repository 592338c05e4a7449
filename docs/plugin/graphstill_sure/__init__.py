"""A method of our own for graphstill."""
