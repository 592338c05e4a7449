"""Named graph tasks: from a local folder, or from PyG's TUDataset with its download."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from graphstill.data.graph_arrays import GraphArrays, from_list
from graphstill.data.graph_npz import LAYOUT, is_graph_npz, read_graph_npz
from graphstill.data.splits import Split
from graphstill.data.tasks.graph import GraphTask
from graphstill.errors import DataError, nearest
from graphstill.typed import typed


@dataclass(frozen=True)
class Entry:
    """Defaults of a named set of graphs, as the literature uses it.

    Args:
        tu: its name in TUDataset, from which PyG downloads it; None: a local file only.
        split: default split, with sizes for one that is drawn; None means public. metric: None is the usual one.
        note: what else to know.
    """

    tu: str | None = None
    split: str | None = None
    train: float | None = None
    val: float | None = None
    metric: str | None = None
    note: str = ""


_FOLDS = "graphs; split: a fold 0 to 9 tests, the next validates"
CATALOG: dict[str, Entry] = {
    "mol-hiv": Entry(note="41,127 molecules, does it inhibit HIV; scaffold split; ROC AUC; local file only"),
    "mol-tox21": Entry(note="7,831 molecules, 12 tasks with missing labels; scaffold split; ROC AUC; local file only"),
    "tu-PROTEINS": Entry("PROTEINS", note=f"1,113 {_FOLDS}"),
    "tu-NCI1": Entry("NCI1", note=f"4,110 {_FOLDS}"),
    "tu-IMDB-BINARY": Entry("IMDB-BINARY", note=f"1,000 {_FOLDS}"),
    "tu-ENZYMES": Entry("ENZYMES", note=f"600 {_FOLDS}"),
}


@typed
def load(
    name: str,
    root: str | Path | None = None,
    split: Split | str | int | None = None,
    seed: int = 0,
    *,
    train: int | float | None = None,
    val: int | float | None = None,
    batch_size: int = 64,
    metric: str | None = None,
) -> GraphTask:
    """A graph task by name: ROOT/graphs/NAME.npz, ROOT/NAME.npz, or PyG's TUDataset for names that begin with "tu-".

    Args:
        name: one of CATALOG, of a file in the root, or the path of an `.npz`.
        root: local data folder; the environment variable GRAPHSTILL_DATA by default.
        split: "public", the number of a fold or of one of several public splits, "random", "per-class", or a Split.
        seed: of a split that is drawn.
        train, val: sizes of a split that is drawn: counts or shares of a random one, or graphs a class.
        batch_size: training graphs a batch.
        metric: what selects and what is tested, see `GraphTask`.

    Raises:
        DataError: unknown name, or data that can neither be found nor downloaded: the message says what to put where.
    """
    entry = CATALOG.get(name, Entry())
    arrays = _find(name, entry, Path(root) if root is not None else environment_root())
    drawn = split if split is not None else entry.split
    if arrays.public is None and drawn is None:
        drawn = "random"  # PyG's TUDataset has no folds
        train, val = 0.8 if train is None else train, 0.1 if val is None else val
    return GraphTask._from(
        arrays,
        name=Path(name).stem if name.endswith(".npz") else name,
        split=drawn,
        seed=seed,
        train=entry.train if train is None else train,
        val=entry.val if val is None else val,
        batch_size=batch_size,
        metric=entry.metric if metric is None else metric,
    )


def knows(name: str, root: str | Path | None = None) -> bool:
    """Whether `load` reads data of this name."""
    if name in CATALOG:
        return True
    if name.endswith(".npz"):
        return Path(name).is_file() and is_graph_npz(Path(name))
    folder = Path(root) if root is not None else environment_root()
    return folder is not None and any(path.is_file() and is_graph_npz(path) for path in _places(folder, name))


def names(root: str | Path | None = None) -> list[str]:
    """Names that `load` knows: those of CATALOG, and graph tasks in the local folder."""
    folder = Path(root) if root is not None else environment_root()
    found = [] if folder is None else [*folder.glob("*.npz"), *folder.glob("graphs/*.npz")]
    return sorted({*CATALOG, *(path.stem for path in found if is_graph_npz(path))})


def environment_root() -> Path | None:
    folder = os.environ.get("GRAPHSTILL_DATA")
    return Path(folder) if folder else None


def _places(root: Path, name: str) -> list[Path]:
    return [root / "graphs" / f"{name}.npz", root / f"{name}.npz"]


def _find(name: str, entry: Entry, root: Path | None) -> GraphArrays:
    if name.endswith(".npz"):
        return read_graph_npz(name)
    for path in [] if root is None else _places(root, name):
        if path.is_file():
            return read_graph_npz(path)
    if name not in CATALOG:
        raise DataError(f"no set of graphs is called {name!r}; {nearest(name, names(root))}; {LAYOUT}")
    if entry.tu is None:
        raise DataError(
            f"dataset {name!r} cannot be downloaded: put {name}.npz into a folder, and its path into root= or "
            f"GRAPHSTILL_DATA; {LAYOUT}"
        )
    from torch_geometric import get_home_dir
    from torch_geometric.datasets import TUDataset

    home = (root / "pyg") if root is not None and os.access(root, os.W_OK) else Path(get_home_dir())
    try:
        return from_list(TUDataset(str(home / "TUDataset"), entry.tu))
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"dataset {name!r} is in no folder of yours, and PyG could neither download nor read it "
            f"({type(error).__name__}: {error}): put PyG's raw files into {home / 'TUDataset' / entry.tu / 'raw'}, or "
            f"{name}.npz into a folder and its path into root= or GRAPHSTILL_DATA; {LAYOUT}"
        ) from error
