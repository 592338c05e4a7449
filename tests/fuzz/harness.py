"""Run a malformed input, and tell how it ended: accepted, refused in words, or by an exception that nobody meant."""

from __future__ import annotations

import itertools
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphstill.errors import GraphstillError
from tests.fuzz import folders, generators
from tests.fuzz.generators import Case


def read(case: Case, folder: Path) -> Any:
    """Everything that reading such an input does, short of training."""
    given = case.make(folder)
    if case.kind in ("recipe", "override"):
        from graphstill.study.recipe import parse_recipe

        text, overrides = given
        return parse_recipe(text, overrides).dump()
    if case.kind == "npz":
        from graphstill.data import NodeTask

        return NodeTask.from_npz(given).protocol()
    if case.kind == "images":
        from graphstill.data import images

        return images.load(str(given), val_per_class=1).protocol()
    from graphstill.runtime import Predictor, verify

    report = verify(given)
    predictor = Predictor(given)
    x = np.zeros((3, predictor.features), np.float32)
    predictor.probabilities(x, np.zeros((2, 0), np.int64) if predictor.needs_graph else None)
    return report


def outcome(case: Case, folder: Path) -> str:
    """ "accepted", "refused", or the exception that got out."""
    folder.mkdir(parents=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(case, folder)
    except GraphstillError as error:
        return "refused" if len(str(error)) < 2000 else f"a message of {len(str(error))} characters"
    except Exception as error:  # noqa: BLE001 - what the campaign looks for
        return f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"
    return "accepted"


def cases(kinds: list[str], count: int, seed: int, exported: Path | None) -> Iterator[Case]:
    """The first `count` of each kind."""
    makers: dict[str, Callable[[random.Random], Iterator[Case]]] = {
        "recipe": generators.recipes,
        "npz": generators.node_files,
        "images": folders.image_files,
    }
    if exported is not None:
        makers["folder"] = lambda rng: folders.folders(rng, exported)
    for kind in kinds:
        yield from itertools.islice(makers[kind](random.Random(f"{seed} {kind}")), count)


def campaign(found: Iterator[Case], root: Path) -> tuple[Counter[str], dict[str, str]]:
    """How often each outcome was, and an example of each that is neither accepted nor refused."""
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for number, case in enumerate(found):
        ended = outcome(case, root / str(number))
        counts[f"{case.kind}: {ended}"] += 1
        if ended not in ("accepted", "refused"):
            examples.setdefault(f"{case.kind}: {ended}", case.what)
    return counts, examples
