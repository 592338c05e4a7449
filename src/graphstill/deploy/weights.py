"""Weights as safetensors, and how to make a network of them again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from graphstill.deploy.image_subject import ImageSubject
from graphstill.deploy.subject import Subject, description
from graphstill.engine import Run
from graphstill.files import atomic_write_bytes, atomic_write_json
from graphstill.nn import StackedCohort

WEIGHTS, PYG, CONFIG = "weights.safetensors", "pyg.safetensors", "config.json"


def write_weights(folder: Path, run: Run, subject: Subject) -> None:
    """``weights.safetensors``, ``config.json``, and ``pyg.safetensors`` for one member of the zoo.

    Weights have no member axis; those of an ensemble carry the member's place in front, ``0.convs.0.weight``.
    """
    states = [module.state_dict() for module in subject.modules]
    single = len(states) == 1
    named = states[0] if single else {f"{i}.{name}": t for i, state in enumerate(states) for name, t in state.items()}
    atomic_write_bytes(folder / WEIGHTS, _packed(named))
    config: dict[str, Any] = {
        "format": 1,
        **description(run, subject),
        "inputs": run.result["inputs"],
        "outputs": run.result["outputs"],
        "members": list(subject.members),
        "weights": WEIGHTS,
        "rebuild": REBUILD_MODULE,
    }
    cohort, i = run.cohort_of(subject.members[0])
    if isinstance(subject, ImageSubject):
        config["image"] = {"mean": subject.mean, "std": subject.std}
        config["rebuild"] = REBUILD_IMAGES if single else REBUILD_MEMBERS
    elif isinstance(cohort, StackedCohort):
        config["rebuild"] = REBUILD if single else REBUILD_MEMBERS
        if single:
            pyg = cohort.to_pyg(i).to("cpu").float()
            atomic_write_bytes(folder / PYG, _packed(pyg.state_dict()))
            config["pyg"] = {"weights": PYG, "rebuild": REBUILD_PYG, "module": str(pyg).splitlines()}
    atomic_write_json(folder / CONFIG, config)


def _packed(state: Mapping[str, Tensor]) -> bytes:
    content: bytes = save({name: t.detach().cpu().contiguous().clone() for name, t in state.items()})
    return content


LOAD = [
    "import json",
    "from pathlib import Path",
    "from graphstill.models import make_model",
    "from safetensors.torch import load_file",
    "config = json.loads(Path('config.json').read_text())",
    "cohort = make_model(**config['model']).build(config['inputs'], config['outputs'], [0])",
]
REBUILD = [
    *LOAD,
    "cohort.load_member_state(0, load_file('weights.safetensors'))",
    "network = cohort.member(0)  # network(x, edge_index) -> logits",
]
REBUILD_PYG = [*REBUILD[:-1], "network = cohort.to_pyg(0)  # standard PyG layers; weights as in pyg.safetensors"]
REBUILD_IMAGES = [
    *LOAD,
    "network = cohort.member(0)",
    "network.load_state_dict(load_file('weights.safetensors'))",
    "# network((images / 255 - mean) / std) -> logits: config['image'] has mean and std of each channel",
]
REBUILD_MEMBERS = [
    "as for one member, with the weights whose names begin with '0.', '1.', ...;",
    "the logits are the logarithm of the mean of their probabilities (multi-label: its logit)",
]
REBUILD_MODULE = [
    "make the module that was trained, then",
    "module.load_state_dict(safetensors.torch.load_file('weights.safetensors'))",
]
