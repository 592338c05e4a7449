"""Several members side by side: groups, seeds, and what ten cost against one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from benchmarks.speed import count, ours, pyg
from benchmarks.speed.case import OURS, Built, Step, case
from benchmarks.speed.cases.citation import looped_edges, stored
from benchmarks.speed.count import Work

from graphstill import datasets
from graphstill.data import NodeTask
from graphstill.engine import Training, train
from graphstill.method import Method
from graphstill.methods import GKD, OAD, GraphAKD, Independent
from graphstill.nn import GCN, GCNII, Model, make_model

#: CPU seconds an epoch of the authors' released code, run unchanged but for version fixes: one thread, Cora.
RELEASED = {"oad": 0.13, "graphakd": 0.060, "gkd": 0.55, "rod": 0.96}


def gcn_work(task: NodeTask, width: int, members: int, dropout: bool = True) -> Work:
    widths = [task.in_features, width, task.num_outputs]
    return members * count.gcn(task.num_nodes, looped_edges(task), stored(task), widths, dropout)


def students(task: NodeTask, number: int, dropout: float) -> list[pyg.Network]:
    return [pyg.gcn(task.in_features, 16, task.num_outputs, dropout) for _ in range(number)]


@case("eight/cora", "eight GCN-16, each with its own dropout", rounds=7)
def eight() -> Built:
    task = datasets.load("cora")
    return Built(
        {
            OURS: lambda: ours.training_step(ours.loop(task, GCN(hidden=16), seeds=8)),
            "PyG": lambda: pyg.training_step(pyg.Data(task), students(task, 8, 0.5)),
        },
        gcn_work(task, 16, 8),
        {"members": 8},
    )


def define_oad(seeds: int, dropout: float, data: str) -> None:
    kind = f"{'' if seeds == 1 else f'{seeds} x '}4"

    @case(f"oad-{kind.replace(' ', '')}/{data}", f"OAD, {kind} GCN-16, dropout {dropout}", rounds=5)
    def oad() -> Built:
        task = datasets.load(data)
        method, model = OAD(temperature=3.0), GCN(hidden=16, dropout=dropout)

        def baseline() -> Step:
            return pyg.oad_step(pyg.Data(task), students(task, 4 * seeds, dropout), 16)

        return Built(
            {
                OURS: lambda: ours.training_step(ours.loop(task, model, method, peers=4, seeds=seeds)),
                "PyG": baseline,
            },
            gcn_work(task, 16, 4 * seeds, dropout > 0),
            {"members": 4 * seeds},
            {"released code": RELEASED["oad"]} if seeds == 1 and data == "cora" and not dropout else {},
        )


define_oad(1, 0.0, "cora")
define_oad(1, 0.5, "pubmed")
define_oad(10, 0.5, "cora")


@case("ten-or-one/cora", "ten seeds of GCN-16 in one cohort against one seed, and one after another", memory=False)
def ten_or_one() -> Built:
    task = datasets.load("cora")

    def step(seeds: int, execution: str = "auto") -> Callable[[], Step]:
        return lambda: ours.training_step(ours.loop(task, GCN(hidden=16), seeds=seeds, execution=execution))

    return Built({OURS: step(10), "one seed": step(1), "looped": step(10, "looped")}, gcn_work(task, 16, 10))


@case("ten-or-one/pubmed", "the same on PubMed", memory=False, rounds=5)
def ten_or_one_pubmed() -> Built:
    task = datasets.load("pubmed")

    def step(seeds: int, execution: str = "auto") -> Callable[[], Step]:
        return lambda: ours.training_step(ours.loop(task, GCN(hidden=16), seeds=seeds, execution=execution))

    paths = {OURS: step(10), "one seed": step(1), "looped": step(10, "looped"), "stacked": step(10, "stacked")}
    return Built(paths, gcn_work(task, 16, 10))


def define_released(name: str, student: Model, method: Method, teacher: Model | None = None, **split: object) -> None:
    @case(f"{name}/cora", f"an epoch of {name}, {student.name} student", rounds=7, unit="epoch")
    def epoch() -> Built:
        task = datasets.load("cora", **split)  # type: ignore[arg-type]

        def path() -> Step:
            torch.manual_seed(0)
            taught = None if teacher is None else train(teacher, task, training=Training(epochs=3))
            return ours.training_step(ours.loop(task, student, method, teacher=taught))

        return Built({OURS: path}, figures={"released code": RELEASED[name]})


define_released("graphakd", GCN(hidden=64), GraphAKD(critic_every=15), GCNII(hidden=64, layers=16))
define_released(
    "gkd", GCN(hidden=32, layers=3), GKD(), GCN(hidden=32, layers=3), split="random", train=0.5, val=0.25
)  # fmt: skip
define_released("rod", make_model(name="rod", hidden=128, hops=9), Independent())
