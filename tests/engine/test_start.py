"""Warm starts: which layers travel, to whom, from whom, what is recorded, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from graphstill.data import NodeTask
from graphstill.engine import Run, Training, distill, train
from graphstill.engine.group import Group
from graphstill.engine.start import fitting, identity, warm_start
from graphstill.errors import CheckpointError, ConfigError, DataError
from graphstill.methods import KD, OAD, Alignahead
from graphstill.nn import GCN, MLP, Model, foreign
from tests.data import toy
from tests.engine.test_training import OwnNet
from tests.tiny import tiny_task

SHORT = Training(epochs=6, lr=0.02, checkpoint_seconds=0.0)
DEEP = GCN(hidden=8, layers=3)


def plain(model: Model = DEEP, task: NodeTask | None = None, seeds: int = 2) -> Run:
    return train(model, task or toy.task(name="toy"), seeds=seeds, training=SHORT)


def group(model: Model = DEEP, runs: int = 2, peers: int = 1, separate: bool = False) -> Group:
    task = tiny_task()
    return Group([model] * peers, task.in_features, task.num_outputs, list(range(runs)), separate, task.y.device)


def test_layers_that_fit_travel_whole_and_the_others_start_fresh() -> None:
    source, students, fresh = plain(), group(), group()
    found = warm_start(students, source)
    own, untouched = students.blocks[0].cohort.state_dict(), fresh.blocks[0].cohort.state_dict()
    assert found["copied"] == ["convs.1.weight", "convs.1.bias"]
    # The first layer's bias has the same shape in both, but its weights have not.
    assert found["fresh"] == ["convs.0.weight", "convs.0.bias", "convs.2.weight", "convs.2.bias"]
    for name, value in own.items():
        expected = source.cohort.state_dict()[name] if name in found["copied"] else untouched[name]
        assert torch.equal(value, expected), name
    assert (found["run"], found["dataset"], found["members"]) == (source.name, "toy", "one for each member")


def test_a_start_on_the_same_task_copies_everything() -> None:
    source = plain(task=tiny_task())
    students = group()
    assert warm_start(students, source)["fresh"] == []
    batch = tiny_task().full_batch()
    assert torch.equal(students.outputs(batch).logits, source.cohort(batch.x, batch.graph).logits)


@pytest.mark.parametrize(
    ("source_seeds", "runs", "peers", "separate", "chosen"),
    [
        (3, 3, 1, False, [0, 1, 2]),
        (2, 2, 2, False, [0, 0, 1, 1]),
        (4, 2, 2, True, [0, 1, 2, 3]),
        (3, 2, 2, True, None),
        (3, 1, 1, False, None),
    ],
)
def test_members_are_paired_where_numbers_agree(
    source_seeds: int, runs: int, peers: int, separate: bool, chosen: list[int] | None
) -> None:
    source, students = plain(seeds=source_seeds), group(DEEP, runs, peers, separate)
    warm_start(students, source)
    expected = chosen or [source.best_member()] * runs * peers
    for block in students.blocks:
        for place, member in enumerate(block.members.tolist()):
            weight = block.cohort.member_state(place)["convs.1.weight"]
            assert torch.equal(weight, source.cohort.member_state(expected[member])["convs.1.weight"])


def test_groups_start_from_groups_in_one_cohort_or_several() -> None:
    for method in (OAD(), Alignahead()):
        source = distill(DEEP, toy.task(name="toy"), method=method, peers=2, seeds=2, training=SHORT)
        students = group(DEEP, 2, 2)
        assert warm_start(students, source)["members"] == "one for each member"
        for member in range(4):
            copied = students.blocks[0].cohort.member_state(member)["convs.1.weight"]
            state = source.member(member).state_dict()
            assert torch.equal(copied, state["convs.1.weight"])


def test_a_layer_is_whole_with_what_is_inside_it() -> None:
    own = {"a.bias": 3, "a.lin.weight": 4, "b.weight": 5, "free": 6}
    state = {name: torch.zeros(size) for name, size in own.items()}
    assert fitting(state, state) == list(own)
    assert fitting({**state, "a.lin.weight": torch.zeros(9)}, state) == ["b.weight", "free"]
    assert fitting({"a.bias": state["a.bias"], "free": state["free"]}, state) == ["free"]


def test_foreign_networks_start_warm() -> None:
    first = distill(foreign(OwnNet), tiny_task(), method=KD(), teacher=torch.zeros(120, 3), training=SHORT)
    run = train(foreign(OwnNet), tiny_task(), training=SHORT, start=first)
    assert run.result["start"]["fresh"] == [] and len(run.result["start"]["copied"]) == 4


def test_nothing_that_fits_is_an_error_that_shows_why() -> None:
    for other in (GCN(hidden=8), GCN(hidden=9, layers=3), MLP(hidden=8, layers=3)):
        with pytest.raises(ConfigError, match=r"no layer of the start .* fits .*weight \[.*\] here; .*three layers"):
            train(other, tiny_task(), training=SHORT, start=plain())


def test_it_is_recorded_and_changes_the_run(tmp_path: Path) -> None:
    source = plain()
    source.save(tmp_path / "source")
    task = tiny_task()
    scratch = train(DEEP, task, seeds=2, training=SHORT)
    warm = train(DEEP, task, seeds=2, training=SHORT, start=source)
    stored = train(DEEP, task, seeds=2, training=SHORT, start=tmp_path / "source")
    assert warm.result["history"] == stored.result["history"] != scratch.result["history"]
    assert warm.result["recipe"] == stored.result["recipe"]
    assert warm.result["recipe"]["start"]["weights"] == identity(source)["weights"]
    assert scratch.result["start"] is None and "start" not in scratch.result["recipe"]


def test_resumes_exactly_and_only_from_the_same_start(tmp_path: Path) -> None:
    def stop(epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if epoch == 3:
            raise RuntimeError("stop")

    source, other, task = plain(), plain(seeds=3), tiny_task()
    how = {"seeds": 2, "training": SHORT}
    with pytest.raises(RuntimeError):
        train(DEEP, task, start=source, directory=tmp_path, progress=stop, **how)  # type: ignore[arg-type]
    for wrong in (other, None):
        with pytest.raises(CheckpointError, match="start differ"):
            train(DEEP, task, start=wrong, directory=tmp_path, resume=True, **how)  # type: ignore[arg-type]
    resumed = train(DEEP, task, start=source, directory=tmp_path, resume=True, **how)  # type: ignore[arg-type]
    assert resumed.result["history"] == train(DEEP, task, start=source, **how).result["history"]  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="start differ"):
        train(DEEP, task, start=other, directory=tmp_path, resume=True, **how)  # type: ignore[arg-type]


def test_a_start_that_may_have_seen_the_test_labels_is_refused(tmp_path: Path) -> None:
    task = tiny_task()
    for seen in (tiny_task(inductive=True), task.without_edges(0.5)):
        with pytest.raises(DataError, match=r"the start .*of the same name and number of nodes.* other data"):
            train(DEEP, task, training=SHORT, start=plain(task=seen, seeds=1))
    # Of the whole task, of which some edges are gone: the same test nodes.
    train(DEEP, task.without_edges(0.5), training=SHORT, start=plain(task=task, seeds=1))
    with pytest.raises(CheckpointError, match="holds no run"):
        train(DEEP, task, training=SHORT, start=tmp_path)
