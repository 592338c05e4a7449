"""Networks that were trained elsewhere: figures by hand, nothing trained or changed, and everything a run can do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import graphstill as gs
from graphstill.errors import ConfigError
from tests.tiny import tiny_task


class Own(nn.Module):
    """A network with dropout, whose outputs depend on its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop, self.second = nn.Linear(64, 8), nn.Dropout(0.9), nn.Linear(8, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index
        near = torch.zeros(len(x), 8).index_add(0, target, self.first(x)[source])
        logits: Tensor = self.second(self.drop(near.relu()))
        return logits


def trained(task: gs.NodeTask, seed: int = 0, steps: int = 40) -> Own:
    torch.manual_seed(seed)
    network, batch = Own(), task.training_batches(0)[0]
    optimiser = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(steps):
        optimiser.zero_grad()
        logits = network.eval()(torch.as_tensor(batch.x), batch.graph.edge_index())
        nn.functional.cross_entropy(logits[batch.train_rows], batch.y[batch.train_rows]).backward()
        optimiser.step()
    return network.train()


@pytest.mark.parametrize("inductive", [False, True])
def test_figures_are_those_computed_by_hand(inductive: bool) -> None:
    task = tiny_task(inductive=inductive)
    network = trained(task)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run = gs.evaluate(network, task)
    assert network.training and all(torch.equal(before[name], v) for name, v in network.state_dict().items())
    whole, seen = task.full_batch(), task.validation_batch()
    with torch.no_grad():
        network.eval()
        on_seen = network(torch.as_tensor(seen.x), seen.graph.edge_index())[seen.val_rows]
        on_whole = network(torch.as_tensor(whole.x), whole.graph.edge_index())[task.test_index]
    right = (on_seen.argmax(1) == seen.y[seen.val_rows]).double().mean()
    assert run.validation == [pytest.approx(float(right))]
    labels = tiny_task().test.open("by hand", "validation").labels()
    assert run.test["accuracy"].values == (pytest.approx(float((on_whole.argmax(1) == labels).double().mean())),)
    assert [record["run"] for record in task.test.openings] == [run.result["openings"][0]["run"]]
    assert run.result["cost"]["epochs"] == 0 and "by whoever trained it" in run.result["protocol"]["selected_by"]


def test_sealed_where_asked() -> None:
    task = tiny_task()
    run = gs.evaluate(trained(task), task, open_test=False)
    assert run.result["test"] is None and task.test.openings == []


def test_what_a_run_can_do(tmp_path: Path) -> None:
    """Saved and loaded, a teacher like the module itself, and compared: with one network, and seed by seed."""
    task = tiny_task()
    network = trained(task)
    given = gs.evaluate(network, task, name="mine")
    given.save(tmp_path / "mine")
    again = gs.Run.load(tmp_path / "mine", model=network)
    assert again.result == given.result
    assert torch.equal(again.member().state_dict()["first.weight"], network.first.weight)
    options = {"method": gs.KD(), "seeds": 5, "training": gs.Training(epochs=3)}
    student, same = (
        gs.distill(gs.models.MLP(hidden=4), task, teacher=teacher, **options) for teacher in (given, network)
    )
    assert student.test == same.test and student.validation == same.validation
    difference = gs.compare(student, given)
    teacher = given.test["accuracy"].mean
    assert difference.differences == pytest.approx([value - teacher for value in student.test["accuracy"].values])
    assert "mine is one network, as given" in str(difference)
    with pytest.raises(ConfigError, match="different seeds"):
        gs.compare(given, student)
    several = gs.evaluate([trained(task, seed, 5) for seed in range(5)], task)
    assert gs.compare(student, several).seeds == (0, 1, 2, 3, 4)
    assert several.member(3).state_dict()["first.weight"].shape == (8, 64)


def test_a_teacher_made_of_it_has_its_taps() -> None:
    task = tiny_task()
    run = gs.evaluate(gs.Teacher(trained(task), taps=["first"]), task)
    assert run.result["models"][0]["taps"] == ["first"]
    gs.distill(gs.models.GCN(hidden=8), task, teacher=run, method=gs.FitNet(), training=gs.Training(epochs=2))


def test_of_the_part_of_a_graph_it_is_not_known_what_it_was_trained_on() -> None:
    task = tiny_task().without_edges(0.3)
    assert task.origin is not None
    given = gs.evaluate(trained(task.origin), task.origin)
    run = gs.distill(gs.models.MLP(hidden=4), task, teacher=given, method=gs.KD(), training=gs.Training(epochs=1))
    assert run.result["protocol"]["teacher"]["privileged"]["trained_on"] == "unknown"


def test_a_member_of_the_zoo_is_one_again() -> None:
    """So that it is exported as such, and needs no module to be loaded."""
    task = tiny_task()
    run = gs.train(gs.models.GCN(hidden=4), task, seeds=2, training=gs.Training(epochs=3))
    again = gs.evaluate([run.member(0), run.member(1)], task)
    assert again.result["models"] == run.result["models"]
    assert again.validation == run.validation and again.result["test"] == run.result["test"]
    other = tiny_task().with_positions(4)
    with pytest.raises(ConfigError, match="64 features and 3 outputs"):
        gs.evaluate(run.member(0), other)


class Probabilities(Own):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return super().forward(x, edge_index).softmax(-1)


def test_what_is_odd_is_said() -> None:
    task = tiny_task()
    with pytest.warns(gs.errors.GraphstillWarning, match="outputs are probabilities"):
        run = gs.evaluate(Probabilities(), task)
    assert "probabilities" in [doubt["code"] for doubt in run.result["warnings"]]


def test_what_is_refused() -> None:
    task = tiny_task()
    run = gs.evaluate(trained(task), task)
    for network, error, message in (
        (run, ConfigError, "has its figures already"),
        ([], ConfigError, "list of modules"),
        ("mine", ConfigError, "list of modules"),
        ([trained(task), 3], ConfigError, "a int is among the networks"),
        (nn.Bilinear(2, 2, 2), ConfigError, "cannot be|forward"),
    ):
        with pytest.raises(error, match=message):
            gs.evaluate(network, task)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="3 seeds for 1 networks"):
        gs.evaluate(trained(task), task, seeds=[1, 2, 3])
    narrow = Own()
    narrow.first = nn.Linear(5, 8)
    with pytest.raises(ConfigError, match="first"):
        gs.evaluate(narrow, task)
