"""From whatever holds numbers to a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.plain_yaml import shown


def as_tensor(value: Any, what: str) -> Tensor:
    """On the CPU, without gradient: of tensors, arrays, lists, and pandas' frames and series, whatever their index.

    Raises:
        DataError: it holds no numbers; the message names `what`.
    """
    try:
        return torch.as_tensor(value if isinstance(value, Tensor) else _array(value)).detach().cpu()
    except (TypeError, ValueError, RuntimeError, KeyError, OverflowError) as error:
        raise DataError(
            f"{what} is a {type(value).__name__}, not numbers ({error}): give a tensor or an array"
        ) from error


def as_device(device: Any) -> torch.device:
    """A device by its name. Raises ConfigError for what is none."""
    try:
        return torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"device={shown(device)}: give 'cpu', 'cuda', 'cuda:1', or a torch.device") from error


def _array(value: Any) -> Any:
    """Numpy's view of the value; numbers in object arrays (nullable columns, ragged lists of tensors) as floats."""
    if isinstance(value, list | tuple) and any(isinstance(part, Tensor) for part in value):
        return torch.stack([torch.as_tensor(part) for part in value])
    array = value.to_numpy() if hasattr(value, "to_numpy") else np.asarray(value)
    if array.dtype == object and not array.ndim:
        raise TypeError("it is no array")
    if array.dtype == object:
        if any(isinstance(part, str) for part in array.flat):
            raise TypeError("it holds text; encode it as whole numbers, by pandas.factorize(y)[0], say")
        array = np.array([np.nan if _missing(part) else part for part in array.flat], float).reshape(array.shape)
    if array.dtype.kind in "US":
        raise TypeError("it holds text; encode it as whole numbers, by numpy.unique(y, return_inverse=True)[1], say")
    if array.dtype.kind not in "biufc":
        raise TypeError(f"it holds {array.dtype}")
    return array.astype(array.dtype.newbyteorder("="), order="C", subok=False, copy=False)


def _missing(part: Any) -> bool:
    return part is None or type(part).__name__ in ("NAType", "NaTType")
