"""`check_model` on models of other packages: sound ones pass, and what is broken is found."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from graphstill.errors import ConfigError
from graphstill.models import GIN, ResNet
from graphstill.nn import OwnModel
from graphstill.testing import BrokenInvariant, check_model
from graphstill.testing.models import CHECKS


class Network(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int, how: str) -> None:
        super().__init__()
        self.first, self.last, self.how = GCNConv(inputs, hidden), nn.Linear(hidden, outputs), how

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.first(x, edge_index).relu()
        if self.how == "counts nodes":
            h = h * torch.arange(len(h)).to(h)[:, None]
        if self.how == "mean of all":
            h = h - h.mean(0)
        logits: Tensor = self.last(h)
        return logits


@dataclass(frozen=True)
class Own(OwnModel):
    """A network of PyG's layers, broken as `how` says."""

    taps = ("first",)
    hidden: int = 16
    how: str = ""

    def network(self, inputs: int, outputs: int) -> nn.Module:
        if self.how == "same":
            with torch.random.fork_rng():
                torch.manual_seed(0)
                return Network(inputs, self.hidden, outputs, self.how)
        return Network(inputs, self.hidden, outputs, self.how)


def test_a_sound_one() -> None:
    assert check_model(Own) == list(CHECKS)
    assert check_model(GIN(hidden=8), without={"learns": "tested elsewhere"}) == list(CHECKS)[:-1]


@pytest.mark.parametrize(
    ("how", "check"),
    [
        ("same", "members_differ"),
        ("counts nodes", "order_of_nodes_changes_nothing"),
        ("mean of all", "graphs_in_a_batch_do_not_touch"),
    ],
)
def test_what_is_broken_is_found(how: str, check: str) -> None:
    with pytest.raises(BrokenInvariant, match=f"^model 'tests.nn.test_check_model:Own' breaks '{check}'"):
        check_model(Own(how=how))


def test_what_cannot_be_checked() -> None:
    for wrong, problem in ((3, "is no model"), (ResNet(depth=8), "answers for images"), (GIN(readout="sum"), "whole")):
        with pytest.raises(ConfigError, match=problem):
            check_model(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="did you mean 'learns'"):
        check_model(Own, without={"learn": "none"})
    with pytest.raises(ConfigError, match="without a reason"):
        check_model(Own, without={"learns": ""})
