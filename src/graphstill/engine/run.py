"""A finished run: figures, weights, and everything needed to judge or repeat it."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphstill.engine import checkpoint
from graphstill.errors import CheckpointError, ConfigError, SealError
from graphstill.files import atomic_write_json
from graphstill.models import MODELS, find_model
from graphstill.nn import Cohort, ForeignModel, KnownLabels, Model, foreign
from graphstill.plain_yaml import shown
from graphstill.plugins import brings
from graphstill.typed import typed

#: The kind of a run of networks that were trained elsewhere: see `evaluate`.
GIVEN = "evaluate"


@dataclass(frozen=True)
class Summary:
    """Mean, sample standard deviation and values over seeds.

    >>> gs.Summary((0.5, 0.75, 1.0))
    0.7500 ± 0.2500 (3 seeds)
    """

    values: tuple[float, ...]

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        return sum(self.values) / self.n

    @property
    def std(self) -> float:
        """Sample standard deviation; NaN for one value."""
        if self.n < 2:
            return math.nan
        return math.sqrt(sum((v - self.mean) ** 2 for v in self.values) / (self.n - 1))

    def __str__(self) -> str:
        spread = "" if self.n < 2 else f" ± {self.std:.4f}"
        return f"{self.mean:.4f}{spread} ({self.n} seed{'s' if self.n > 1 else ''})"

    __repr__ = __str__


class NoSuchMember(ConfigError, IndexError):
    """A run has no member of that number."""


class Run:
    """What `train`, `distill` and `evaluate` return.

    `result` holds everything that result.json holds. Members are ordered run · peers + peer. `cohorts` hold the
    weights that validation chose: one cohort of all members, or one for each peer where architectures differ or peers
    took turns.

    >>> run = gs.train(student, task, seeds=3)
    >>> run.members, len(run.validation), run.test["accuracy"].n
    (3, 3, 3)
    """

    def __init__(self, result: dict[str, Any], cohorts: Sequence[Cohort]) -> None:
        self.result, self.cohorts = result, list(cohorts)

    @property
    def name(self) -> str:
        return str(self.result["name"])

    @property
    def seeds(self) -> list[int]:
        return list(self.result["seeds"])

    @property
    def peers(self) -> int:
        return int(self.result["peers"])

    @property
    def members(self) -> int:
        return len(self.seeds) * self.peers

    @property
    def validation(self) -> list[float]:
        """Validation metric of each member's chosen epoch."""
        return list(self.result["validation"])

    @property
    def test(self) -> dict[str, Summary]:
        """The test figure over seeds: of the mean member; for groups also of validation's pick and the ensemble."""
        metric, test = self.result["metric"], self.result["test"]
        if test is None:
            raise SealError(f"run {self.name!r} left the test set sealed: train it again with open_test=True")
        named = {metric: Summary(tuple(test["mean"]))}
        if self.peers > 1:
            named[f"{metric} of the member that validation picks"] = Summary(tuple(test["best_val"]))
            named[f"{metric} of the ensemble"] = Summary(tuple(test["ensemble"]))
        return named

    @property
    def cohort(self) -> Cohort:
        """The cohort of all members; CheckpointError where the run has one cohort a peer (use `cohorts`)."""
        if len(self.cohorts) != 1:
            raise CheckpointError(f"run {self.name!r} has {len(self.cohorts)} cohorts, one a peer: use run.cohorts")
        return self.cohorts[0]

    def best_member(self) -> int:
        """The member with the highest validation metric (the first of equals)."""
        return max(range(self.members), key=lambda i: self.validation[i])

    def member(self, index: int | None = None) -> torch.nn.Module:
        """A standalone module of one member; by default of the one that validation picks."""
        index = self.best_member() if index is None else index
        if not isinstance(index, int) or not 0 <= index < self.members:
            raise NoSuchMember(
                f"member {shown(index)} of a run with {self.members} members: give 0 to {self.members - 1}, or None"
            )
        cohort, own = self.cohort_of(index)
        return cohort.member(own)

    def cohort_of(self, index: int) -> tuple[Cohort, int]:
        """The cohort that holds a member, and its number there: there is one of all members, or one a peer."""
        if len(self.cohorts) == 1:
            return self.cohorts[0], index
        return self.cohorts[index % self.peers], index // self.peers

    def __repr__(self) -> str:
        if self.result["test"] is None:
            return f"Run({self.name!r}: test set sealed)"
        figures = ", ".join(f"{k} {v}" for k, v in self.test.items())
        return f"Run({self.name!r}: {figures})"

    def save(self, directory: str | Path) -> Path:
        """Write result.json and weights.safetensors; weights last but one, so that a result means a whole run."""
        directory = Path(directory)
        tensors: dict[str, Tensor] = {}
        for i, cohort in enumerate(self.cohorts):
            tensors |= {f"{i}/{name}": value for name, value in cohort.state_dict().items()}
        meta = {
            "inputs": self.result["inputs"],
            "outputs": self.result["outputs"],
            "models": self.result["models"],
            "data_hash": self.result["data_hash"],
            "num_nodes": self.result["protocol"]["nodes"],
            "cohorts": len(self.cohorts),
        }
        checkpoint.write(directory / "weights.safetensors", tensors, meta)
        atomic_write_json(directory / "result.json", self.result)
        return directory

    def export(self, directory: str | Path, **options: Any) -> Path:
        """Write one member, or an ensemble, as a folder that runs without torch: see `graphstill.export`."""
        # By name, when it is asked for: deploy builds on engine, and needs an optional extra.
        folder: Path = importlib.import_module("graphstill.deploy.export").export(self, directory, **options)
        return folder

    @classmethod
    @typed
    def load(
        cls,
        directory: str | Path,
        device: torch.device | str = "cpu",
        *,
        model: Model | torch.nn.Module | Sequence[Model] | None = None,
    ) -> Run:
        """A saved run.

        Args:
            directory: of `train`, or the folder of a part of `distill`.
            model: what a network that is not of the zoo was made by, as it was given to `train`: a module, or
                `models.foreign(factory)`; of peers that differ, one each. A network of the zoo needs none.

        Raises:
            CheckpointError: a file is missing or broken, a network was not one of the zoo and no model is given, or
                the model is another one.
        """
        directory = Path(directory)
        path = directory / "result.json"
        try:
            result = json.loads(path.read_text("utf-8"))
        except FileNotFoundError as error:
            state = "holds an unfinished run" if (directory / "checkpoint.safetensors").is_file() else "holds no run"
            raise CheckpointError(
                f"{directory} {state}: no result.json; finish it with resume, or check the path"
            ) from error
        except json.JSONDecodeError as error:
            raise CheckpointError(f"{path} is broken ({error}): restore it from a copy or run again") from error
        tensors, meta = checkpoint.read(directory / "weights.safetensors", device)
        specs = [
            _model(saved, given, directory) for saved, given in zip(meta["models"], _each(model, meta), strict=True)
        ]
        members = len(result["seeds"]) * result["peers"]
        known = KnownLabels.none(meta.get("num_nodes", 0))  # what was known is loaded with the weights
        cohorts: list[Cohort] = []
        for i in range(meta["cohorts"]):
            each = members // meta["cohorts"]
            cohort = specs[i].build(meta["inputs"], meta["outputs"], [0] * each, known).to(device)
            own = checkpoint.under(tensors, str(i))
            if any(name.rpartition(".")[2] == "smoothing" for name in own):
                cohort.smooth(0.0)
            try:
                cohort.load_state_dict(own)
            except RuntimeError as error:
                raise CheckpointError(f"the weights in {directory} do not fit its recipe ({error})") from error
            cohorts.append(cohort)
        return cls(result, cohorts)


def _each(model: Model | torch.nn.Module | Sequence[Model] | None, meta: dict[str, Any]) -> list[Model | None]:
    """The model given for each peer; None where none is."""
    if isinstance(model, torch.nn.Module):
        model = foreign(model)
    peers = len(meta["models"])
    given: list[Model | None] = [model] * peers if model is None or isinstance(model, Model) else [*model]
    if len(given) != peers:
        raise CheckpointError(f"{len(given)} models are given for a run of {peers} peers: give one, or one a peer")
    return given


def _model(saved: dict[str, Any], given: Model | None, directory: Path) -> Model:
    """The model of a saved network: made by its name, or the one that is given for a network that has none."""
    options = dict(saved)
    name = options.pop("name")
    if given is not None and not isinstance(given, ForeignModel) and {"name": given.name, **given.options()} == saved:
        return given
    if name in MODELS or brings("model", name):
        made: Model = find_model(name)(**options)
        return made
    if given is None:
        raise CheckpointError(
            f"{directory} holds a network {saved.get('class', name)!r} that is not of the zoo: give what it was made "
            f"by, gs.Run.load({str(directory)!r}, model=gs.models.foreign(...)), and use the run that this returns"
        )
    if not isinstance(given, ForeignModel) or list(given.taps) != saved.get("taps", []):
        raise CheckpointError(
            f"{directory} holds a network {saved.get('class', name)!r} with taps {saved.get('taps', [])}, but model is "
            f"{given}: give the model that it was trained with"
        )
    return given
