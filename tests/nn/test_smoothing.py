"""The low-pass filter on hidden features of graphs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from graphstill.engine import Run, Training, distill, train
from graphstill.errors import ConfigError
from graphstill.methods import KD, Smoothing
from graphstill.nn import GAT, GCN, GCNII, GIN, GraphSAGE, Model
from graphstill.ops import Adjacency, spmm
from tests.tiny import Killed, kill_at, tiny_task

KINDS = [GCN(hidden=6), GraphSAGE(hidden=6), GAT(hidden=3, heads=2), GIN(hidden=6)]


def energy(graph: Adjacency, h: torch.Tensor) -> float:
    """How much neighbours differ."""
    source, target = graph.edge_index()
    return float((h[:, source] - h[:, target]).detach().square().sum())


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: spec.name)
def test_is_the_mean_over_neighbours_before_the_activation(spec: Model) -> None:
    batch = tiny_task().full_batch()
    cohort = spec.build(batch.x.shape[1], 3, [0, 1])
    plain = cohort(batch.x, batch.graph).hidden[0].pre
    cohort.smooth(1.0)
    around = batch.graph.with_self_loops()
    mean = spmm(around, around.mean_weights(torch.float32), plain)
    kept = torch.tensor(-0.5).exp()
    smooth = cohort(batch.x, batch.graph).hidden[0].pre
    torch.testing.assert_close(smooth, kept * plain + (1 - kept) * mean, rtol=1e-4, atol=1e-5)
    energies = []
    for width in (0.0, 0.5, 1.0, 2.0):
        cohort.smooth(width)
        energies.append(energy(batch.graph, cohort(batch.x, batch.graph).hidden[0].pre))
    assert energies == sorted(energies, reverse=True)
    cohort.execution = "looped"  # type: ignore[assignment]
    looped = cohort(batch.x, batch.graph).logits
    cohort.execution = "stacked"  # type: ignore[assignment]
    torch.testing.assert_close(looped, cohort(batch.x, batch.graph).logits)


@pytest.mark.parametrize("spec", KINDS, ids=lambda spec: spec.name)
def test_off_is_bitwise_what_was_there(spec: Model) -> None:
    batch = tiny_task().full_batch()
    cohort = spec.build(batch.x.shape[1], 3, [0, 1])
    before = cohort(batch.x, batch.graph).logits
    cohort.smooth(1e-4)
    assert torch.equal(before, cohort(batch.x, batch.graph).logits)
    cohort.to_pyg(0)


def test_members_states_and_modules_keep_their_filter() -> None:
    batch = tiny_task().full_batch()
    cohort = GCN(hidden=6).build(batch.x.shape[1], 3, [0, 1])
    cohort.smooth(1.0)
    logits, edges = cohort(batch.x, batch.graph).logits, batch.graph.edge_index()
    torch.testing.assert_close(cohort.member(1)(batch.x, edges), logits[1])
    torch.testing.assert_close(cohort.select([1])(batch.x, batch.graph).logits[0], logits[1])
    assert cohort.member_state(0)["smoothing"] == 1
    with pytest.raises(ConfigError, match="selected while its features were smoothed"):
        cohort.to_pyg(1)
    with pytest.raises(ConfigError, match="cannot be smoothed"):
        GCNII(hidden=6).build(4, 3, [0]).smooth(1.0)


def test_a_curriculum_on_a_graph_is_kept_and_resumed(tmp_path: Path) -> None:
    task, training = tiny_task(), Training(epochs=6, checkpoint_seconds=0.0)
    teacher = train(GCN(hidden=8), task, training=training)
    method = KD() + Smoothing(sigma=1.0, factor=0.5, every=1)

    how = {"method": method, "teacher": teacher, "seeds": 2, "training": training}
    whole = distill(GCN(hidden=6), task, **how)  # type: ignore[arg-type]
    for i, epoch in enumerate(whole.result["best_epoch"]):
        assert whole.cohort.member_state(i)["smoothing"] == 0.5 ** (epoch - 1)
    with pytest.raises(Killed):
        distill(GCN(hidden=6), task, **how, directory=tmp_path, progress=kill_at(3))  # type: ignore[arg-type]
    distill(GCN(hidden=6), task, **how, directory=tmp_path, resume=True)  # type: ignore[arg-type]
    for name, value in Run.load(tmp_path).cohort.state_dict().items():
        assert torch.equal(value, whole.cohort.state_dict()[name]), name
