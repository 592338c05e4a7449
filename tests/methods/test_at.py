"""AT: invariances and scales; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.methods import AT
from graphstill.nn import GCN
from tests.methods.stage import map_view, set_stage
from tests.tiny import tiny_task


def test_signs_and_a_factor_do_not_count() -> None:
    stage = set_stage(AT(), tiny_task(), [0, 1], teacher_model=GCN(hidden=20, layers=2, dropout=0.0))
    value = stage.total()
    assert (value > 0).all() and (value < 2).all()
    torch.testing.assert_close(stage.total(map_view(stage.s, lambda x: -3 * x)), value)


def test_the_mean_is_the_sum_less_the_nodes() -> None:
    whole = set_stage(AT(place="dropped", nodes="train"), tiny_task(), [0]).total()
    released = set_stage(AT.released(), tiny_task(), [0]).total()
    torch.testing.assert_close(released * 30, whole)
    assert released.item() <= 2 / 30


@pytest.mark.parametrize("wrong", [{"power": 0}, {"reduction": "max"}, {"place": "in"}, {"nodes": "test"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AT(**wrong)  # type: ignore[arg-type]
