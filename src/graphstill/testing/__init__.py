"""What every method must keep, as a check that a package of your own can call."""

from graphstill.testing.invariant import BrokenInvariant
from graphstill.testing.methods import CHECKS, check_method

__all__ = ["CHECKS", "BrokenInvariant", "check_method"]
