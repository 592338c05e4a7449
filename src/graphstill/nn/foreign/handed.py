"""The tensors that a module is handed: it may do with them what it likes, and damages nothing of ours."""

from __future__ import annotations

from weakref import ref

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


class Features:
    """Features that were handed to a module, to be known again."""

    def __init__(self, x: Tensor) -> None:
        self._owner, self._mark = ref(_owner(x)), _mark(x)

    def are(self, x: Tensor) -> bool:
        """Whether these are they: the same numbers at the same place, to which nobody wrote."""
        return self._owner() is _owner(x) and self._mark == _mark(x)


def _owner(x: Tensor) -> Tensor:
    return x if x._base is None else x._base


def _mark(x: Tensor) -> tuple[object, ...]:
    return x.data_ptr(), tuple(x.shape), x.stride(), x._version
