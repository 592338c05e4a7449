"""Distillation that does no harm: none of it is the twin itself, validation chooses, a killed run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from graphstill.data import NodeTask
from graphstill.engine import Run, Training, distill, train
from graphstill.engine.guard import choose, factors_of
from graphstill.errors import ConfigError, GraphstillError, MethodError
from graphstill.method import Composite, Method
from graphstill.methods import CPF, GLNN, GNNSD, KD, KRD, LSP, OAD, ROD, Alignahead, Independent
from graphstill.models import MODELS
from graphstill.nn import GCN, MLP
from tests.tiny import Killed, arrays, kill_at, tiny_task

SHORT = Training(epochs=12, lr=0.02, weight_decay=1e-3)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {f"{i}/{k}": v for i, cohort in enumerate(run.cohorts) for k, v in cohort.state_dict().items()}


def same(one: Run, other: Run) -> bool:
    ours, theirs = weights(one), weights(other)
    return ours.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in ours.items())


def noise() -> torch.Tensor:
    """A teacher that is sure of itself and knows nothing."""
    return 8 * torch.randn(120, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("method", "peers", "training"),
    [
        (KD(alpha=0.9), 1, SHORT),
        (GLNN() + 2 * LSP(), 1, Training(epochs=12, warmup=4, reset_optimizer=True)),
        (KRD(), 1, SHORT),
        (OAD(), 3, SHORT),
        (Alignahead(), 2, SHORT),  # peers in turns
        (GNNSD(), 1, SHORT),
    ],
)
def test_factors_none_and_all_are_the_twin_and_todays_run(
    tmp_path: Path, method: Method | Composite, peers: int, training: Training
) -> None:
    """Bit by bit: whatever the method changes besides a weight (supervision, turns, critics, a warm-up)."""
    task, model = tiny_task(), GCN(hidden=8, layers=3)
    needs = [term.method.needs for term in method.terms]
    teacher = train(GCN(hidden=8, layers=3), task, training=SHORT) if any(need.teacher for need in needs) else None
    how = {"peers": peers, "seeds": 2, "training": training}
    distill(model, task, method=method, teacher=teacher, guard=(0, 1), directory=tmp_path / "run", **how)
    none, all_of_it = (Run.load(tmp_path / f"run/factor-{factor}") for factor in (0, 1))
    assert same(none, distill(model, task, method=Independent(), **how))
    assert same(all_of_it, distill(model, task, method=method, teacher=teacher, **how))
    assert not same(none, all_of_it)


def test_a_network_of_several_heads_falls_back_on_itself() -> None:
    task, model = tiny_task(), MODELS["rod"](hidden=8)
    run = distill(model, task, method=ROD(pool=2), seeds=2, training=SHORT, guard=(0, 1))
    assert run.result["guard"]["chosen"] in (0, 1)


def test_a_share_is_between_the_two_losses() -> None:
    """KD with its own alpha: a share f of (1 - a) CE + a KL and 1 - f of CE is KD with alpha f a."""
    task = tiny_task()
    teacher = train(GCN(hidden=8), task, training=SHORT)
    how = {"teacher": teacher, "seeds": 2, "training": SHORT}
    guarded = distill(MLP(hidden=8), task, method=KD(alpha=0.8), guard=(0, 0.5, 1), **how)
    whole = distill(MLP(hidden=8), task, method=KD(alpha=0.4), **how)
    assert guarded.result["guard"]["validation"][1] == pytest.approx(whole.validation, abs=0.026)  # one item of 40
    assert guarded.result["guard"]["validation"][1] != guarded.result["guard"]["validation"][0]


def test_a_teacher_of_noise_does_no_harm() -> None:
    task = tiny_task()
    how = {"seeds": 5, "training": Training(epochs=60)}
    twin = train(GCN(hidden=16), task, **how)
    harmed = distill(GCN(hidden=16), task, method=KD(alpha=0.9), teacher=noise(), **how)
    guarded = distill(GCN(hidden=16), task, method=KD(alpha=0.9), teacher=noise(), guard=True, **how)
    assert harmed.test["accuracy"].mean < twin.test["accuracy"].mean - 0.1
    assert guarded.result["guard"]["chosen"] == 0
    assert guarded.test == twin.test and guarded.validation == twin.validation and same(guarded, twin)
    assert guarded.result["kind"] == "distill" and guarded.result["teacher"] is not None


def test_a_good_teacher_keeps_its_gain() -> None:
    """Three labels alone, and a teacher that knows all of them: validation must see what it is worth."""
    x, edges, y = arrays()
    train_nodes = np.array([np.flatnonzero(y == k)[0] for k in range(3)])
    task = NodeTask.from_arrays(
        x, edges, y, train=train_nodes, val=np.arange(30, 70), test=np.arange(70, 120), name="few", sparse=False
    )
    how = {"seeds": 5, "training": Training(epochs=100)}
    taught = {"teacher": 4 * torch.eye(3)[torch.as_tensor(y)], "method": GLNN(), **how}
    twin, free = train(MLP(hidden=16), task, **how), distill(MLP(hidden=16), task, **taught)
    guarded = distill(MLP(hidden=16), task, guard=True, **taught)
    assert free.test["accuracy"].mean > twin.test["accuracy"].mean + 0.05
    assert guarded.test["accuracy"].mean >= free.test["accuracy"].mean - 0.005
    assert guarded.result["guard"]["chosen"] > 0


def test_the_test_set_is_opened_once_and_the_price_is_told(tmp_path: Path) -> None:
    task = tiny_task()
    run = distill(
        GCN(hidden=8), task, method=KD(), teacher=noise(), seeds=2, training=SHORT, guard=True, directory=tmp_path / "r"
    )
    assert len(task.test.openings) == 1 == len(run.result["openings"])
    assert task.test.openings[0]["run"].startswith(f"{run.name}-")
    found = run.result["guard"]
    assert found["candidates"] == [0, 0.1, 1] and found["trainings"] == 3
    assert [len(own) for own in found["validation"]] == [2, 2, 2]
    assert run.result["cost"]["wall_seconds"] == pytest.approx(sum(found["wall_seconds"]), abs=1e-3)
    parts = [json.loads((tmp_path / f"r/factor-{f}/result.json").read_text()) for f in ("0", "0.1", "1")]
    assert [part["test"] for part in parts] == [None] * 3
    assert "0.1 *" in parts[1]["effective_loss"]
    assert same(Run.load(tmp_path / "r"), run) and Run.load(tmp_path / "r").test == run.test


def test_an_undistilled_student_with_as_many_choices() -> None:
    """Its first training is the one that it would have been; the others are of other weights."""
    task = tiny_task()
    run = train(GCN(hidden=8), task, seeds=3, training=SHORT, choices=3)
    found = run.result["choices"]
    assert run.seeds == [0, 1, 2] and len(found["validation"]) == 3
    assert found["validation"][0] == train(GCN(hidden=8), task, seeds=3, training=SHORT).validation
    assert len({tuple(own) for own in found["validation"]}) > 1
    assert len(task.test.openings) == 2


@pytest.mark.parametrize("epoch", [5, 17, 30])
def test_a_killed_run_goes_on_exactly(tmp_path: Path, epoch: int) -> None:
    """In the first, the second and the third training: 12 epochs each."""
    task, training = tiny_task(), Training(epochs=12, lr=0.02, checkpoint_seconds=0)
    how = {"method": KD(), "teacher": noise(), "seeds": 2, "training": training, "guard": True}
    whole = distill(GCN(hidden=8), task, directory=tmp_path / "whole", **how)
    with pytest.raises(Killed):
        distill(GCN(hidden=8), task, directory=tmp_path / "run", progress=kill_at(epoch), **how)
    seen: list[int] = []
    resumed = distill(
        GCN(hidden=8),
        task,
        directory=tmp_path / "run",
        resume=True,
        progress=lambda done, epochs, figures: seen.append(done),  # noqa: ARG005
        **how,
    )
    assert same(whole, resumed) and whole.result["guard"]["validation"] == resumed.result["guard"]["validation"]
    assert seen[0] >= epoch and seen[-1] == 36
    again = distill(GCN(hidden=8), task, directory=tmp_path / "run", resume=True, **how)
    assert again.result == resumed.result


def test_folders_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    task = tiny_task()
    how = {"method": KD(), "teacher": noise(), "training": Training(epochs=6, checkpoint_seconds=0)}
    with pytest.raises(Killed):
        distill(GCN(hidden=8), task, directory=tmp_path / "plain", progress=kill_at(3), **how)
    with pytest.raises(Killed):
        distill(GCN(hidden=8), task, directory=tmp_path / "guarded", progress=kill_at(3), guard=True, **how)
    with pytest.raises(ConfigError, match="without a guard"):
        distill(GCN(hidden=8), task, directory=tmp_path / "plain", resume=True, guard=True, **how)
    with pytest.raises(ConfigError, match="chooses between factor-0"):
        distill(GCN(hidden=8), task, directory=tmp_path / "guarded", resume=True, **how)
    with pytest.raises(ConfigError, match="holds a run already"):
        distill(GCN(hidden=8), task, directory=tmp_path / "guarded", guard=True, **how)


@pytest.mark.parametrize("guard", ["yes", 1, [], [0], [0.1, 1], [0, 0, 1], [0, 2], [0, float("nan")], [0, True], None])
def test_odd_guards_are_refused(guard: object) -> None:
    with pytest.raises(ConfigError, match=r"guard is .*undistilled student"):
        factors_of(guard)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"method": Independent(), "guard": True}, "nothing is distilled"),
        ({"method": CPF(), "model": MODELS["plp"](), "guard": True}, "guard=False"),
        ({"method": KD(), "guard": True, "choices": 3}, "beside a guard"),
        ({"method": Independent(), "choices": 0}, "choices is 0"),
        ({"method": KD(), "guard": True, "open_test": False}, "open_test=False"),
    ],
)
def test_what_cannot_be_guarded_is_refused(how: dict, message: str) -> None:
    how = {"model": GCN(hidden=8), "teacher": None if how["method"] == Independent() else noise()} | how
    with pytest.raises(GraphstillError, match=message) as caught:
        distill(how.pop("model"), tiny_task(), training=SHORT, **how)
    assert isinstance(caught.value, ConfigError | MethodError)


def test_the_choice_takes_the_first_within_a_standard_error() -> None:
    # Differences 0.01, 0.03 (mean 0.02, standard error 0.01) are beyond it; 0.00, 0.02 (mean and error 0.01) are not.
    assert choose([[0.50, 0.50], [0.51, 0.53]], 100)[0] == 1
    assert choose([[0.50, 0.50], [0.50, 0.52]], 100)[0] == 0
    assert choose([[0.50, 0.50], [0.52, 0.54], [0.53, 0.53]], 100)[0] == 1
    # One seed: the error of a share of 0.8 of 100 items is 0.04.
    assert choose([[0.77], [0.80]], 100)[0] == 0
    assert choose([[0.75], [0.80]], 100)[0] == 1
