"""Users' modules through whole runs: nothing of theirs is changed, finished runs load again, errors say what to do."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv, GINEConv, SAGEConv, TransformerConv

import graphstill as gs
from graphstill.data import hashing
from graphstill.errors import CheckpointError, ConfigError, GraphstillError

ONE = gs.Training(epochs=3)
FEATURES, CLASSES, NODES = 6, 3, 60


def data() -> Data:
    g = torch.Generator().manual_seed(0)
    y = torch.arange(NODES) % CLASSES
    x = torch.randn(NODES, FEATURES, generator=g) + y[:, None]
    found = Data(x=x, edge_index=torch.randint(NODES, (2, 200), generator=g), y=y)
    for part, rest in (("train", 0), ("val", 1), ("test", 2)):
        found[f"{part}_mask"] = torch.arange(NODES) // CLASSES % 3 == rest
    return found


class Net(nn.Module):
    """First, unless told otherwise, it writes to its input."""

    def __init__(self, first: nn.Module | None = None, cached: bool = False) -> None:
        super().__init__()
        self.first = first or nn.ReLU(inplace=True)
        self.conv, self.out = GCNConv(FEATURES, 8, cached=cached), SAGEConv(8, CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.out(self.conv(self.first(x), edge_index).relu(), edge_index)


def fingerprint(task: gs.NodeTask) -> tuple[bytes, bytes]:
    batch = task.full_batch()
    return hashing.features_digest(batch.x), hashing.edges_digest(batch.graph)


@pytest.mark.parametrize("first", [nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True)])
def test_a_module_that_writes_to_its_input_damages_nothing(first: nn.Module) -> None:
    given, model = data(), gs.models.GCN(hidden=4)
    as_given, task = given.clone(), gs.NodeTask(given)
    before = gs.train(model, task, training=ONE).test
    run = gs.train(gs.models.foreign(lambda: Net(copy.deepcopy(first))), task, training=ONE, seeds=2)
    teacher = Net(copy.deepcopy(first))
    state = copy.deepcopy(teacher.state_dict())
    gs.distill(model, task, teacher=teacher, method=gs.KD(), training=ONE)
    gs.distill(model, task, teacher=run, method=gs.KD(), training=ONE)
    assert gs.train(model, task, training=ONE).test == before
    for key, value in as_given:
        assert torch.equal(given[key], value), key
    assert fingerprint(task) == fingerprint(gs.NodeTask(as_given))
    assert teacher.training and all(torch.equal(value, state[key]) for key, value in teacher.state_dict().items())


def test_an_inductive_run_with_caches_is_the_run_without() -> None:
    task = gs.NodeTask(data(), inductive=True)
    runs = [gs.train(gs.models.foreign(lambda c=c: Net(nn.Identity(), c)), task, training=ONE) for c in (True, False)]
    assert runs[0].test == runs[1].test and runs[0].validation == runs[1].validation


def test_a_cached_teacher_teaches_what_it_computes_on_the_graph_of_the_students() -> None:
    task = gs.NodeTask(data())
    teacher = Net(nn.Identity(), cached=True).eval()
    teacher(data().x, data().edge_index)
    plain = Net(nn.Identity())
    plain.load_state_dict(teacher.state_dict())
    less = task.without_edges(0.8)
    students = [
        gs.distill(gs.models.GCN(hidden=4), less, teacher=t, method=gs.KD(), training=ONE).cohort.state_dict()
        for t in (teacher, plain)
    ]
    assert all(torch.equal(students[0][key], students[1][key]) for key in students[0])


@pytest.mark.parametrize("kind", ["torch", "numpy", "scipy", "sparse"])
def test_a_task_owns_its_arrays(kind: str) -> None:
    d = data()
    x: Any = {
        "torch": d.x,
        "numpy": d.x.numpy().copy(),
        "scipy": scipy.sparse.csr_matrix(d.x.numpy()),
        "sparse": d.x.to_sparse_csr(),
    }[kind]
    ptr, edges, y = torch.tensor([0, 20, 40, 60]), torch.tensor([[0, 21, 41], [1, 22, 42]]), d.y
    parts = {part: torch.arange(20 * i, 20 * i + 20) for i, part in enumerate(("train", "val", "test"))}
    task = gs.NodeTask.from_arrays(x, edges, y, graph_ptr=ptr, sparse=False, **parts)
    kept = fingerprint(task), task.y.clone(), [task.train_index.clone(), task.val_index.clone(), task.graph_ptr.clone()]
    for array in (x, edges, y, ptr, *parts.values()):
        if scipy.sparse.issparse(array):
            array.data[:] = 0
        elif isinstance(array, np.ndarray):
            array[:] = 0
        else:
            (array if array.layout == torch.strided else array.values()).zero_()
    assert fingerprint(task) == kept[0] and torch.equal(task.y.nan_to_num(), kept[1].nan_to_num())
    own = (task.train_index, task.val_index, task.graph_ptr)
    assert all(torch.equal(a, b) for a, b in zip(own, kept[2], strict=True))
    assert task.test.open("run", "validation accuracy").labels().any()


def test_a_finished_run_loads_again_with_its_module(tmp_path: Path) -> None:
    task, model = gs.NodeTask(data()), gs.models.foreign(Net)
    run = gs.train(model, task, training=ONE, seeds=2, directory=tmp_path / "run")
    again = gs.train(model, task, training=ONE, seeds=2, directory=tmp_path / "run", resume=True)
    loaded = gs.Run.load(tmp_path / "run", model=model)
    for other in (again, loaded):
        assert other.test == run.test
        assert all(torch.equal(v, run.cohort.state_dict()[k]) for k, v in other.cohort.state_dict().items())
    gs.distill(gs.models.GCN(hidden=4), task, teacher=loaded, method=gs.KD(), training=ONE)
    with pytest.raises(CheckpointError, match=r"'foreign\(Net\)' that is not of the zoo: give what it was made by"):
        gs.Run.load(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"with taps \[\], but model is GCN"):
        gs.Run.load(tmp_path / "run", model=gs.models.GCN(hidden=4))
    with pytest.raises(CheckpointError, match="do not fit"):
        gs.Run.load(tmp_path / "run", model=gs.models.foreign(lambda: Net(nn.Linear(FEATURES, FEATURES))))


def test_a_teacher_by_its_directory(tmp_path: Path) -> None:
    task, student = gs.NodeTask(data()), gs.models.GCN(hidden=4)
    teacher = gs.train(gs.models.GCN(hidden=8), task, training=ONE, directory=tmp_path / "teacher")
    results = [
        gs.distill(student, task, teacher=t, method=gs.KD(), training=ONE).test
        for t in (teacher, tmp_path / "teacher", str(tmp_path / "teacher"))
    ]
    assert results[0] == results[1] == results[2]
    with pytest.raises(CheckpointError, match="holds no run"):
        gs.distill(student, task, teacher="nowhere", method=gs.KD())


def test_a_directory_that_is_a_file_and_a_lost_log(tmp_path: Path) -> None:
    task, student = gs.NodeTask(data()), gs.models.GCN(hidden=4)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file: give a folder"):
        gs.train(student, task, directory=tmp_path / "file")

    def stop(epoch: int, *_: object) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    training = gs.Training(epochs=4, checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        gs.train(student, task, training=training, directory=tmp_path / "run", progress=stop)
    (tmp_path / "run" / "metrics.jsonl").unlink()
    resumed = gs.train(student, task, training=training, directory=tmp_path / "run", resume=True)
    assert resumed.test == gs.train(student, task, training=training).test


class EdgeFeatures(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = GINEConv(nn.Linear(FEATURES, CLASSES), edge_dim=2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index, None)


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = TransformerConv(FEATURES, CLASSES, edge_dim=2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index)


class ReadsMasks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(FEATURES, CLASSES)

    def forward(self, data: Data) -> Tensor:
        return self.linear(data.x)[data.train_mask]


class KeywordOnly(nn.Linear):
    def forward(self, x: Tensor, edge_index: Tensor, *, edge_weight: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)


class Tuple(nn.Linear):
    def forward(self, x: Tensor, edge_index: Tensor) -> Any:  # type: ignore[override]
        return super().forward(x), x


WRONG: dict[str, tuple[Any, str]] = {
    "edge features": (EdgeFeatures, r"EdgeFeatures failed in a.* pass, in its submodule 'conv.*present or absent"),
    "bare assertion": (Bare, r"Bare failed .*'conv.*\(AssertionError: without a message\).*present or absent"),
    "width": (
        lambda: nn.Linear(9, CLASSES),
        r"Linear failed .*mat1 and mat2.*x float32 \[60, 6\].*its first layer",
    ),
    "double": (lambda: nn.Linear(FEATURES, CLASSES).double(), r"same dtype.*convert it with .float\(\)"),
    "half": (lambda: nn.Linear(FEATURES, CLASSES).half(), r"same dtype.*convert it with .float\(\)"),
    "masks": (ReadsMasks, r"ReadsMasks failed.*'train_mask'.*in a torch_geometric.data.Data; .*holds x and edge_index"),
    "keyword": (lambda: KeywordOnly(FEATURES, CLASSES), r"forward\(x, edge_index, \*, edge_weight\).*cannot be called"),
    "tuple": (lambda: Tuple(FEATURES, CLASSES), "its output is tuple"),
    "classes": (lambda: nn.Linear(FEATURES, 5), r"its output has shape \[60, 5\]"),
}


USES: dict[str, Any] = {
    "student": lambda factory, task: gs.train(gs.models.foreign(factory), task, training=ONE),
    "teacher": lambda factory, task: gs.distill(gs.models.GCN(hidden=4), task, teacher=factory(), method=gs.KD()),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("role", USES)
def test_what_goes_wrong_inside_a_module_is_told(what: str, role: str) -> None:
    factory, message = WRONG[what]
    task = gs.NodeTask(data())
    with pytest.raises(GraphstillError, match=f"(?s){message}"):
        USES[role](factory, task)


class InPlaceActivation(Net):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = torch.sigmoid(self.conv(x, edge_index))
        return self.out(h.mul_(2), edge_index)


class Detached(Net):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return super().forward(x, edge_index).detach()


class ExtraState(Net):
    def get_extra_state(self) -> Any:
        return {"version": 1}


class Meta(Net):
    def __init__(self) -> None:
        super().__init__()
        self.to("meta")


class Spectral(Net):
    """The linear layers of torch_geometric save their weight under the name that it had before."""

    def __init__(self) -> None:
        super().__init__()
        nn.utils.parametrizations.spectral_norm(self.out.lin_l)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (InPlaceActivation, r"the gradient of foreign\(InPlaceActivation\) cannot be computed.*in place"),
        (Detached, "the output of Detached in a training pass carries no gradient"),
        (ExtraState, "'_extra_state', which is no tensor"),
        (Meta, "Meta is on the device meta"),
        (Spectral, r"state_dict\(\) of Spectral"),
        (lambda: 1 / 0, r"the factory failed \(ZeroDivisionError"),
    ],
)
def test_what_cannot_be_trained_or_saved_is_told(network: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        gs.train(gs.models.foreign(network), gs.NodeTask(data()), training=ONE)


def test_an_export_leaves_the_data_alone(tmp_path: Path) -> None:
    task = gs.NodeTask(data())
    before = fingerprint(task)
    gs.export(gs.train(gs.models.foreign(Net), task, training=ONE), tmp_path / "out", task=task)
    assert fingerprint(task) == before


def test_a_frozen_module_cannot_learn() -> None:
    plain = nn.Linear(FEATURES, CLASSES).requires_grad_(False)
    with pytest.raises(ConfigError, match="has no parameter that can be trained"):
        gs.train(gs.models.foreign(lambda: plain), gs.NodeTask(data()), training=ONE)
