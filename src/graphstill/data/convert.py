"""From whatever holds numbers to a tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.errors import DataError


def as_tensor(value: Any, what: str) -> Tensor:
    """On the CPU, without gradient. Raises DataError, naming `what`, for anything that is no array of numbers."""
    try:
        return torch.as_tensor(value).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{what} is a {type(value).__name__}, not numbers ({error}): give a tensor or an array"
        ) from error
