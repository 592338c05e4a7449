"""What every method and every model must keep, as checks that a package of your own can call."""

from graphstill.testing.invariant import BrokenInvariant
from graphstill.testing.methods import CHECKS, check_method
from graphstill.testing.models import check_model

__all__ = ["CHECKS", "BrokenInvariant", "check_method", "check_model"]
