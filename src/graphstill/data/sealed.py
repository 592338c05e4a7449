"""Test labels under seal: whoever trains or selects has no reference to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from torch import Tensor

from graphstill.data.batches import Batch
from graphstill.data.hashing import arrays_digest
from graphstill.data.metrics import METRICS
from graphstill.errors import DataError, SealError


@dataclass(frozen=True, eq=False)
class OpenedTest:
    """Test labels of one finished run.

    Attributes:
        batch: the graph on which test items are predicted: the full one, or the union of the test graphs.
        index: int64 [test items]: their rows in the batch.
        metric: a name of METRICS.
    """

    batch: Batch
    index: Tensor
    metric: str
    _labels: Tensor

    def score(self, logits: Tensor) -> Tensor:
        """The metric of each member.

        Args:
            logits: [members, items of the batch, outputs].

        Returns:
            float64 [members].

        Raises:
            DataError: logits that are not those of this batch.
        """
        if logits.ndim != 3 or logits.shape[1] != len(self.batch.items):
            raise DataError(
                f"logits {list(logits.shape)} given to OpenedTest.score: "
                f"give [members, {len(self.batch.items)}, outputs], a row for each item of opened.batch"
            )
        return METRICS[self.metric](logits[:, self.index.to(logits.device)], self._labels.to(logits.device))

    def labels(self) -> Tensor:
        """True labels of the rows `index`, for analysis: int64 [test items] or float32 [test items, labels]."""
        return self._labels.clone()


class SealedTest:
    """Holds the test labels of a task until a run has selected its model by validation.

    Attributes:
        openings: one record for each opening so far, oldest first: run, selected_by, time (UTC).
    """

    def __init__(
        self,
        labels: Tensor,
        metric: str,
        batch: Callable[[], tuple[Batch, Tensor]],
        openings: list[dict[str, str]] | None = None,
    ) -> None:
        self.__labels, self.__batch, self.__metric = labels, batch, metric
        self.__openings = [] if openings is None else openings

    @property
    def openings(self) -> list[dict[str, str]]:
        return [dict(opening) for opening in self.__openings]

    def open(self, run: str, selected_by: str) -> OpenedTest:
        """The test set, once for each run, and only after selection.

        Args:
            run: name of the run, under which the opening is recorded.
            selected_by: what selected the model, for example "validation accuracy"; it begins with "validation".

        Raises:
            SealError: opened before by a run of this name, or the model was not selected by validation.
        """
        if not run:
            raise SealError(
                "the test set was to be opened without the name of a run: each opening is recorded; give the run's name"
            )
        if not selected_by.lower().startswith("validation"):
            raise SealError(
                f"run {run!r} was selected by {selected_by!r}: test labels are opened only for a model selected by "
                "validation; select by the validation metric"
            )
        earlier = next((opening for opening in self.__openings if opening["run"] == run), None)
        if earlier is not None:
            raise SealError(
                f"run {run!r} opened the test set before, at {earlier['time']}: "
                "a second look would be selection on test; "
                "use the result of the first opening, or train a new run under another name"
            )
        batch, index = self.__batch()
        self.__openings.append(
            {"run": run, "selected_by": selected_by, "time": datetime.now(UTC).isoformat(timespec="seconds")}
        )
        return OpenedTest(batch, index, self.__metric, self.__labels)

    def moved(self, batch: Callable[[], tuple[Batch, Tensor]]) -> SealedTest:
        """The same labels for a copy of the task on another device or with other batches; one record for both."""
        return SealedTest(self.__labels, self.__metric, batch, self.__openings)

    def fresh(self) -> SealedTest:
        """The same labels for another task, with a record of its own; its batch is given by `moved`."""
        return SealedTest(self.__labels, self.__metric, self.__batch, [])

    def labels_digest(self, train: Tensor, val: Tensor) -> bytes:
        """The digest of a task's labels (`hashing.digests`) where those of training or validation are other ones."""
        return arrays_digest(*(part.to(self.__labels.dtype) for part in (train, val, self.__labels)))

    def labels_to_save(self) -> Tensor:
        """For a file of the whole task; whoever trains from it reads them back under seal."""
        return self.__labels.cpu()

    def __repr__(self) -> str:
        return f"SealedTest(items={len(self.__labels)}, openings={len(self.__openings)})"


def hidden_like(labels: Tensor, visible: Tensor) -> Tensor:
    """Labels with only the rows `visible` shown; -1 (single label) or NaN (multi-label) in all others."""
    shown = torch.full_like(labels, float("nan") if labels.ndim == 2 else -1)
    shown[visible] = labels[visible]
    return shown
