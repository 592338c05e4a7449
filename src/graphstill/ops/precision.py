"""What our own products do in a region of lower precision (`torch.autocast`): what torch's do."""

from __future__ import annotations

import torch
from torch import Tensor


def region(x: Tensor) -> torch.dtype | None:
    """The precision of the region that encloses the call; None outside of one, and for float64, which stays."""
    kind = x.device.type
    if x.dtype == torch.float64 or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)


def lowered(x: Tensor) -> Tensor:
    """`x` in the region's precision."""
    low = region(x)
    return x if low is None else x.to(low)


def raised(x: Tensor) -> Tensor:
    """`x` in float32 in a region, for what needs its precision or has no kernel below it."""
    return x if region(x) is None else x.float()
