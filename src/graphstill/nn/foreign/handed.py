"""The tensors that a module is handed: it may do with them what it likes, and damages nothing of ours."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.errors import DataError


class Handed:
    """Gives a module its input: the tensors themselves where it leaves them alone, copies where it writes to them.

    The first pass in each mode is made on copies, which are compared afterwards. Any later write to a tensor that was
    given itself is noticed.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        #: By mode and place: whether the module writes to that input; absent: not tried yet.
        self._writes: dict[tuple[bool, int], bool] = {}

    def give(self, training: bool, *tensors: Tensor) -> tuple[Tensor, ...]:
        """What the module gets in the place of the tensors."""
        return tuple(
            tensor.clone() if self._writes.get((training, place), True) else tensor
            for place, tensor in enumerate(tensors)
        )

    def check(
        self, training: bool, given: tuple[Tensor, ...], tensors: tuple[Tensor, ...], versions: list[int]
    ) -> None:
        """After a pass: to which of the tensors the module wrote. `versions` are those of `given` before it.

        Raises:
            DataError: it wrote to a tensor of the task, which it had left alone before.
        """
        for place, (mine, own, before) in enumerate(zip(given, tensors, versions, strict=True)):
            written = mine._version != before
            if mine is not own:
                key = (training, place)
                self._writes.setdefault(key, written or not torch.equal(mine.detach(), own.detach()))
            elif written:
                raise DataError(
                    f"{self._what} changed its input in place, which it had not done before, so that the data of this "
                    "task are no longer what they were: load them again, and let the module work on a copy "
                    "(x = x.clone() at the start of its forward)"
                )
