"""What is exported: one member of a run, or several as an ensemble, in torch and as ONNX."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from graphstill.deploy.ensemble import ensemble_logits, ensemble_plan
from graphstill.deploy.families import plan_of
from graphstill.deploy.foreign import export_module
from graphstill.deploy.onnx_graph import compile_plan
from graphstill.deploy.options import Member
from graphstill.deploy.plan import Plan
from graphstill.engine import Run
from graphstill.errors import ConfigError, ExportError
from graphstill.nn import Cohort, ForeignCohort, StackedCohort
from graphstill.nn.foreign.calling import Convention, calling_convention
from graphstill.nn.foreign.copying import copied
from graphstill.nn.inputs import as_dense, as_edge_index
from graphstill.ops import Adjacency, SparseFeatures

ENSEMBLE = "ensemble"


@dataclass(frozen=True, eq=False)
class Subject(ABC):
    """Members of a run and what they compute together.

    Attributes:
        members: their numbers in the run; more than one is an ensemble.
        modules: each as a standalone module.
        model: the ONNX file. inputs: the names of its inputs.
    """

    members: tuple[int, ...]
    modules: tuple[torch.nn.Module, ...]
    multi_label: bool
    model: bytes = field(repr=False)

    @property
    @abstractmethod
    def inputs(self) -> list[str]: ...


@dataclass(frozen=True, eq=False)
class GraphSubject(Subject):
    """Members that classify nodes.

    Attributes:
        plan: its steps; None for a module that is not of the zoo, which ``model`` alone holds.
        needs_graph: whether it reads edges.
    """

    plan: Plan | None
    needs_graph: bool

    def network(self, x: SparseFeatures | Tensor, graph: Adjacency) -> Tensor:
        """Torch's logits ``[nodes, outputs]``, in evaluation."""
        if self.plan is None:  # not ours: it may keep something of a graph, and write to what it is given
            edges = as_edge_index(graph)
            logits = torch.stack([copied(module)(as_dense(x).clone(), edges.clone()) for module in self.modules])
        else:
            logits = torch.stack([module(x, graph) for module in self.modules])
        return logits[0] if len(self.modules) == 1 else ensemble_logits(logits, self.multi_label)

    @property
    def inputs(self) -> list[str]:
        degree = self.plan is not None and self.plan.needs_degree
        return ["x", *(["edge_index"] * self.needs_graph), *(["degree"] * degree)]


def subject_of(run: Run, member: Member) -> GraphSubject:
    """One member (None: the one that validation picks), or ``"ensemble"``.

    The ensemble is of all seeds, or, in groups, of the peers of one seed: that with the highest mean validation figure.

    Raises:
        ConfigError: no such member. ExportError: a network that cannot be exported.
    """
    multi_label = run.result["metric"] == "micro_f1"
    members = chosen_members(run, member)
    modules = tuple(run.member(i).to("cpu").float().eval() for i in members)
    parts = [cohort.select(own) for cohort, own in _by_cohort(run, members)]
    first = parts[0]
    if isinstance(first, ForeignCohort):
        if len(members) > 1:
            raise ExportError(
                f"an ensemble of {first.spec}, in graphstill.export: only networks of the zoo are put into one graph; "
                "leave member= out, or give a number"
            )
        return _foreign(first, members, modules, multi_label)
    stacked = [part for part in parts if isinstance(part, StackedCohort)]
    plan = ensemble_plan(stacked, multi_label) if len(members) > 1 else plan_of(first)
    return GraphSubject(members, modules, multi_label, compile_plan(plan), plan, plan.hops > 0)


def chosen_members(run: Run, member: Member) -> tuple[int, ...]:
    """The numbers of the members that ``member`` means."""
    if member is None:
        return (run.best_member(),)
    if isinstance(member, int) and not isinstance(member, bool) and 0 <= member < run.members:
        return (member,)
    if member != ENSEMBLE:
        raise ConfigError(
            f"member={member!r} of run {run.name!r} in graphstill.export: give a number from 0 to {run.members - 1}, "
            f"{ENSEMBLE!r}, or None for the member that validation picks"
        )
    if run.peers == 1:
        return tuple(range(run.members))
    means = [sum(run.validation[i : i + run.peers]) for i in range(0, run.members, run.peers)]
    best = means.index(max(means)) * run.peers
    return tuple(range(best, best + run.peers))


def _by_cohort(run: Run, members: Sequence[int]) -> list[tuple[Cohort, list[int]]]:
    """Each cohort that holds some of the members, and their numbers in it."""
    found: dict[int, tuple[Cohort, list[int]]] = {}
    for i in members:
        cohort, own = run.cohort_of(i)
        found.setdefault(id(cohort), (cohort, []))[1].append(own)
    return list(found.values())


def _foreign(
    cohort: Cohort, members: tuple[int, ...], modules: tuple[torch.nn.Module, ...], multi_label: bool
) -> GraphSubject:
    assert isinstance(cohort, ForeignCohort)
    network = cohort.networks[0].to("cpu").float()
    convention = calling_convention(network)
    if convention == Convention("data"):
        raise ExportError(
            f"{cohort.spec} takes a PyG Data, in graphstill.export: an ONNX graph has tensors for inputs; give the "
            "module a forward(x, edge_index)"
        )
    model = export_module(network, cohort.inputs, convention.by_edges)
    return GraphSubject(members, modules, multi_label, model, None, convention.by_edges)


def description(run: Run, subject: Subject) -> dict[str, Any]:
    """The models of the members as plain values: one, or a list where they differ."""
    models = [run.result["models"][i % run.peers] for i in subject.members]
    same = all(model == models[0] for model in models)
    return {"model": models[0]} if same else {"model": {"name": ENSEMBLE, "models": models}}


def refuse_graphs(protocol: Mapping[str, Any], where: str) -> None:
    """Raises ExportError for a task whose items are whole graphs: what is exported answers for nodes, or for images."""
    if protocol.get("items") == "graph":
        raise ExportError(
            f"the items of {protocol['dataset']!r} are whole graphs, in {where}: what is exported answers for nodes or "
            "images; use run.member(i), a torch module network(x, edge_index, batch, edge_attr)"
        )
