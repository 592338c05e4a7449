"""What was to be reached: the marks of the plan, as ratios over a baseline as its users run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.speed import measure
from benchmarks.speed.case import OURS
from benchmarks.speed.machine import bandwidth

Row = dict[str, Any]
#: Against a baseline under the same allocator settings.
SAME = 3.0


@dataclass(frozen=True)
class Mark:
    """A number that a case is to reach, or not to exceed.

    Attributes:
        of: computes it from the case's row.
        at_least: whether it is to be reached; else it is not to be exceeded.
    """

    what: str
    case: str
    wanted: float
    of: Callable[[Row], float]
    at_least: bool = True

    def met(self, row: Row) -> bool:
        found = self.of(row)
        return found >= self.wanted if self.at_least else found <= self.wanted


def faster(baseline: str = "PyG") -> Callable[[Row], float]:
    return lambda row: measure.ratio(row, baseline, same=False)


def slower(other: str) -> Callable[[Row], float]:
    """Our time over the shorter of another path's under both settings."""

    def of(row: Row) -> float:
        shortest = min(measure.seconds(row, setting, other) for setting in row["settings"])
        return measure.seconds(row, "recycled", OURS) / shortest

    return of


def smaller(baseline: str = "PyG") -> Callable[[Row], float]:
    """Peak memory of the baseline as its users run it over ours."""
    return lambda row: (
        row["settings"]["default"][baseline]["megabytes"] / row["settings"]["recycled"][OURS]["megabytes"]
    )


def over_floor(row: Row) -> float:
    """CPU time of the kernels over that of moving the counted bytes as fast as a buffer of that size is copied."""
    floor = row["work"]["bytes"] / bandwidth(row["limits"], row["sizes"]["working set"])
    return measure.seconds(row, "recycled", "ours, the kernels alone") / floor


def over_figure(row: Row) -> float:
    """The released code's time over ours."""
    return row["figures"]["released code"] / measure.seconds(row, "recycled", OURS)


MARKS = (
    Mark("training step, GCN-64 with dropout", "gcn-64/cora", 12, faster()),
    Mark("training step, eight GCN-16 with dropout of their own", "eight/cora", 22, faster()),
    Mark("attention, forward and backward: time", "attention/ppi", 10, faster()),
    Mark("attention, forward and backward: memory", "attention/ppi", 8, smaller()),
    Mark("LSP, 170k edges, 256 wide", "lsp-256/ppi", 25, faster("gather")),
    Mark("LSP, 170k edges, from 1,024 wide", "lsp-1024/ppi", 25, faster("gather")),
    Mark("training step, GCN-64 on WordNet", "gcn-64/wordnet30", 4, faster()),
    Mark("training step, GCN-128, 2.3M edges", "gcn-128/power-law", 4, faster()),
    Mark("evaluation, GCN-64", "evaluation-gcn-64/cora", 8, faster()),
    Mark("evaluation, GCN-64 on PubMed", "evaluation-gcn-64/pubmed", 8, faster()),
    Mark("sparse product over its counted floor, Cora, 64 wide", "product-64/cora", 1.5, over_floor, False),
    Mark("the same, 170k edges, 256 wide", "product-256/ppi", 1.5, over_floor, False),
    Mark("the same, 2.3M edges, 128 wide", "product-128/power-law", 1.5, over_floor, False),
    Mark("training step, GCN-64, over the one written by hand", "gcn-64/cora", 1, slower("by hand"), False),
    Mark("ten seeds in one cohort over one seed, GCN-16", "ten-or-one/cora", 8, slower("one seed"), False),
    Mark("ten seeds in one cohort over one seed, GCN-16 on PubMed", "ten-or-one/pubmed", 8, slower("one seed"), False),
    Mark("OAD, an epoch, over the released code", "oad-4/cora", 10, over_figure),
    Mark("GraphAKD, an epoch, over the released code", "graphakd/cora", 10, over_figure),
    Mark("GKD, an epoch, over the released code", "gkd/cora", 10, over_figure),
    Mark("ROD, an epoch, over the released code", "rod/cora", 10, over_figure),
    Mark("LSP student at PPI's size, over the released code", "lsp-student/ppi", 10, over_figure),
    Mark("Alignahead at PPI's size, over the released code", "alignahead/ppi", 10, over_figure),
    Mark("a KD step over what HKD adds to it (15 %)", "hkd/resnet8x4", 6.7, faster("a whole KD step")),
)
