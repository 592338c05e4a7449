"""A result says what is odd about its teacher, its labels and its students."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCN as PyGGCN

import graphstill as gs
from graphstill.engine.doubts import are_probabilities, below_twin, chance, constant_level, of_students
from graphstill.errors import DataError, GraphstillWarning
from tests.tiny import tiny_task

SHORT = gs.Training(epochs=30)
STUDENT = gs.models.GCN(hidden=8)


@pytest.fixture(scope="module")
def teacher() -> gs.Run:
    return gs.train(gs.models.GCN(hidden=16), tiny_task(), training=gs.Training(epochs=60), seeds=2)


def logits_of(run: gs.Run, task: gs.NodeTask) -> Tensor:
    batch = task.full_batch()
    with torch.no_grad():
        return run.cohort(batch.x, batch.graph).logits


def distilled(teacher: Any, **options: Any) -> tuple[dict[str, Any], list[str]]:
    options = {"method": gs.KD(), "training": SHORT} | options
    run = gs.distill(STUDENT, tiny_task(), teacher=teacher, **options)
    return run.result, [doubt["code"] for doubt in run.result["warnings"]]


class Module(nn.Module):
    def __init__(self, run: gs.Run) -> None:
        super().__init__()
        self.inner = run.member(0)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        return self.inner(x, edge_index)


def test_whatever_teaches_its_figures_stand_in_the_result(teacher: gs.Run) -> None:
    task = tiny_task()
    table = logits_of(teacher, task)
    for part, index in (("train", task.train_index), ("validation", task.val_index)):
        expected = [float((row.argmax(-1) == task.y[index]).double().mean()) for row in table[:, index]]
        whole = distilled(teacher, seeds=2)[0]["teacher"][part]
        assert whole["accuracy"] == expected and len(whole["loss"]) == 2
        for one in (table[0], table[0].numpy(), teacher.member(0), gs.Teacher(Module(teacher))):
            assert distilled(one)[0]["teacher"][part]["accuracy"] == expected[:1]
        together = distilled(gs.Ensemble(teacher))[0]["teacher"][part]["accuracy"]
        mean = table.softmax(-1).mean(0)[index].argmax(-1)
        assert together == [float((mean == task.y[index]).double().mean())]
    assert gs.train(STUDENT, task, training=SHORT).result["teacher"] is None


def test_a_teacher_of_several_graphs_is_judged_on_the_validation_graphs() -> None:
    from tests.data import toy

    task = gs.NodeTask.from_arrays(**toy.several_graphs())
    run = gs.train(STUDENT, task, training=SHORT)
    taught = gs.distill(STUDENT, task, teacher=run, method=gs.KD(), training=SHORT).result["teacher"]
    assert taught["validation"]["accuracy"] == [pytest.approx(run.validation[0])]


def test_probabilities_and_rows_in_another_order(teacher: gs.Run) -> None:
    table = logits_of(teacher, tiny_task())[0]
    assert distilled(table)[1] == [] == distilled(table.log_softmax(-1))[1]
    assert distilled(table.softmax(-1))[1] == ["probabilities"]
    result, codes = distilled(8 * table[torch.randperm(120, generator=torch.Generator().manual_seed(1))])
    assert codes == ["teacher at chance"] and "in the order of the task's items?" in result["warnings"][0]["text"]
    assert distilled(torch.zeros_like(table))[1] == ["teacher at chance"]
    with pytest.warns(GraphstillWarning, match="are probabilities"):
        distilled(table.softmax(-1))


@pytest.mark.parametrize("multi_label", [False, True])
def test_what_counts_as_probabilities(multi_label: bool) -> None:
    z = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0))
    p = z.sigmoid() if multi_label else z.softmax(-1)
    assert are_probabilities(p, multi_label)
    assert not are_probabilities(z, multi_label) and not are_probabilities(2 * z.abs(), multi_label)


def test_a_module_that_takes_weights_of_edges(teacher: gs.Run) -> None:
    result, codes = distilled(gs.Teacher(Module(teacher)))
    assert codes == ["edges without weights"] and result["warnings"][0]["figures"]["parameters"] == ["edge_weight"]
    assert distilled(teacher.member(0))[1] == []
    run = gs.train(Module(teacher), tiny_task(), training=gs.Training(epochs=1))
    assert "edges without weights" in [doubt["code"] for doubt in run.result["warnings"]]
    network = PyGGCN(64, 8, 2, 3)  # takes edge_weight as all of PyG's do: worth a word where the data have some
    x, edges, y = tiny_task().full_batch().x, tiny_task().full_batch().graph.edge_index(), torch.arange(120) % 3
    from torch_geometric.data import Data

    masks = {f"{part}_mask": torch.arange(120) // 3 % 3 == i for i, part in enumerate(("train", "val", "test"))}
    for given, expected in (({}, False), ({"edge_weight": torch.ones(edges.shape[1])}, True)):
        data = Data(x=x, edge_index=edges, y=y, **masks, **given)
        task = gs.NodeTask(data)
        run = gs.distill(STUDENT, task, teacher=network, method=gs.KD(), training=gs.Training(epochs=1))
        assert ("edges without weights" in [d["code"] for d in run.result["warnings"]]) is expected
        assert run.result["protocol"]["edges_unused"] == list(given)


def test_students_at_chance_and_seeds_that_differ() -> None:
    task = tiny_task()
    shuffled = gs.train(STUDENT, task.with_shuffled_labels(), training=gs.Training(epochs=2), seeds=2)
    assert "student at chance" in [doubt["code"] for doubt in shuffled.result["warnings"]]
    codes = [doubt.code for doubt in of_students(task, [0.9, 0.9, 0.4], [20, 30, 1], 40, 1)]
    assert codes == ["student at chance", "seeds differ", "never improved"]
    assert of_students(task, [0.9, 0.92, 0.88], [20, 30, 9], 40, 1) == []
    assert [d.code for d in of_students(task, [0.9, 0.7, 0.9, 0.72], [9] * 4, 40, 2)] == []


def test_the_level_of_chance() -> None:
    y = torch.tensor([0] * 60 + [1] * 40)
    assert constant_level(y, "accuracy") == 0.6 and chance(y, "accuracy") == pytest.approx(
        0.6 + 2 * (0.24 / 100) ** 0.5
    )
    assert constant_level(y, "roc_auc") == 0.5 and chance(y, "roc_auc") == pytest.approx(0.5 + 2 * (101 / 28800) ** 0.5)
    several = torch.tensor([[1.0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]])
    # Of the constant answers {0}, {0, 1}, {0, 1, 2} the first is best: 2 * 3 / (4 + 5).
    assert constant_level(several, "micro_f1") == pytest.approx(6 / 9)


def test_a_teacher_below_the_undistilled_student(tmp_path: Path) -> None:
    assert below_twin([0.8, 0.9], [0.8], "accuracy") == []
    (doubt,) = below_twin([0.8], [0.9, 0.8], "accuracy")
    assert doubt.figures == {"teacher": 0.8, "undistilled": pytest.approx(0.85)}
    from graphstill.report.changes import notes
    from graphstill.study.recipe import check_recipe
    from graphstill.study.runner import run_recipe
    from graphstill.study.source import Source

    recipe = check_recipe(
        Source(
            {
                "name": "weak",
                "task": "digits",
                "teacher": {"model": {"name": "gcn", "hidden": 2}, "training": {"epochs": 3}},
                "student": {"name": "gcn", "hidden": 16},
                "method": "kd",
                "seeds": 1,
                "training": {"epochs": 30},
            },
            "test",
        )
    )
    found = run_recipe(recipe, tmp_path / "run")
    assert [doubt["code"] for doubt in found["warnings"] if doubt["part"] == "comparison"] == ["teacher below student"]
    text = "\n".join(notes(found))
    assert "warning: comparison: the teacher validates at" in text and "the teacher's own accuracy: validation" in text
    assert "homophily of the edges between known labels" in text


@pytest.mark.parametrize("kind", ["float", "long", "bool", "unknown rows"])
def test_one_hot_classes_are_not_taken_for_several_labels(kind: str) -> None:
    x, edges, y = torch.randn(12, 3), torch.tensor([[0, 1], [1, 0]]), torch.eye(3)[torch.arange(12) % 3]
    y = {"float": y, "long": y.long(), "bool": y.bool(), "unknown rows": y.index_fill(0, torch.tensor(11), np.nan)}[
        kind
    ]
    parts = {"train": [0, 1, 2], "val": [3, 4, 5], "test": [6, 7, 8]}
    with pytest.raises(
        DataError, match=r"3 columns, of which each labelled node has exactly one.*y.argmax\(1\).*micro_f1"
    ):
        gs.NodeTask.from_arrays(x, edges, y, **parts)
    assert gs.NodeTask.from_arrays(x, edges, y, metric="micro_f1", **parts).multi_label


def test_an_ordinary_run_is_silent(teacher: gs.Run) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert distilled(teacher, seeds=2)[1] == [] == teacher.result["warnings"]
