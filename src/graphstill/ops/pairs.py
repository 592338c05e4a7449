"""The most and the least similar pairs of rows, without an array over all pairs."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from graphstill.errors import ConfigError

#: Similarities that are computed at a time: 4 MB in float32.
BLOCK = 2**20
#: What is added at random to each similarity, so that equal ones are taken at random and not by the rows' numbers.
TIE_BREAK = 1e-6


class SimilarPairs(NamedTuple):
    """int64 [2, n] each, first < second: pairs from the most similar on, and from the least similar on."""

    most: Tensor
    least: Tensor


def similar_pairs(x: Tensor, most: int, least: int, at_most: int, generator: torch.Generator) -> SimilarPairs:
    """The pairs of rows with the largest and the smallest cosine, by blocks of rows against all that follow.

    Exact, up to rounding, where `least` is no more than `at_most`. Where it is more, only a share at_most / least of
    all pairs is looked at for them, and the result is a random sample, of size `at_most` or slightly below, of the
    least similar ones: each block of rows looks at columns of its own. A row of zeros has cosine 0 with every other.

    Args:
        x: [N, F], dense.
        most, least: how many pairs; no more than there are are returned.
        at_most: bound on what is returned of the least similar ones.
        generator: on the CPU; for ties and for the columns.

    Raises:
        ConfigError: a number below 1.
    """
    if x.dim() != 2 or min(most, least, at_most) < 1:
        raise ConfigError(
            f"x is {list(x.shape)}, most {most}, least {least}, at_most {at_most}. Where: similar_pairs. Pass "
            "[nodes, features] and numbers of at least 1."
        )
    rows = len(x)
    unit = torch.nn.functional.normalize(x)
    share = min(1.0, at_most / max(1, min(least, rows * (rows - 1) // 2)))
    top, bottom = _Smallest(most, generator), _Smallest(min(least, at_most), generator)
    step = max(1, BLOCK // rows)
    for begin in range(0, rows, step):
        block = unit[begin : begin + step]
        cosine = block @ unit[begin:].t()
        # Pairs are counted once: NaN is neither large nor small.
        cosine[:, : len(block)].masked_fill_(cosine.new_ones(len(block), len(block)).tril().bool(), torch.nan)
        columns = torch.arange(begin, rows, device=x.device)
        top.add(-cosine, begin, columns, rows)
        if share < 1:
            seen = (torch.rand(len(columns), generator=generator) < share).nonzero().squeeze(1).to(x.device)
            cosine, columns = cosine.index_select(1, seen), columns[seen]
        bottom.add(cosine, begin, columns, rows)
    return SimilarPairs(top.pairs(rows), bottom.pairs(rows))


class _Smallest:
    """Keeps the pairs of the `count` smallest values of all that are added."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count, self.generator = count, generator
        self.values: list[Tensor] = []
        self.codes: list[Tensor] = []
        self.held, self.limit = 0, float("inf")

    def add(self, values: Tensor, first_row: int, columns: Tensor, rows: int) -> None:
        """Values of the pairs (first_row + r, columns[c]), [R, C]; NaN for those that do not count."""
        row, column = (values < self.limit).nonzero(as_tuple=True)
        if not len(row):
            return
        found = values[row, column]
        found += TIE_BREAK * torch.rand(len(found), generator=self.generator).to(found)
        self.values.append(found)
        self.codes.append((row + first_row) * rows + columns[column])
        self.held += len(found)
        if self.held > 2 * self.count:
            self._shrink()

    def _shrink(self) -> None:
        values, codes = torch.cat(self.values), torch.cat(self.codes)
        if len(values) > self.count:
            values, kept = values.topk(self.count, largest=False, sorted=False)
            codes, self.limit = codes[kept], float(values.max())
        self.values, self.codes, self.held = [values], [codes], len(values)

    def pairs(self, rows: int) -> Tensor:
        if not self.values:
            return torch.empty(2, 0, dtype=torch.long)
        self._shrink()
        codes = self.codes[0][self.values[0].argsort()]
        return torch.stack([codes // rows, codes % rows])
