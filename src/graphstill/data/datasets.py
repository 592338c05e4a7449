"""Named node tasks: embedded, from a local folder, or from PyG's datasets with their download."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from graphstill import archives
from graphstill.data import graph_datasets, images, plugged, sources
from graphstill.data.arrays import Arrays
from graphstill.data.digits import digits_arrays
from graphstill.data.features import binarized
from graphstill.data.npz import CSR_PARTS, LAYOUT, read_npz
from graphstill.data.options import Metric
from graphstill.data.splits import Split
from graphstill.data.tasks.graph import GraphTask
from graphstill.data.tasks.node import NodeTask
from graphstill.errors import ConfigError, DataError, nearest
from graphstill.plugins import entries, is_path
from graphstill.typed import typed


@dataclass(frozen=True)
class Entry:
    """Defaults of a named dataset, as the literature uses it.

    Args:
        source: PyG's dataset; None where it comes from a local file only. raw: where PyG looks for its raw files.
        split: default split, with sizes for one that is drawn; None means public.
        normalize: of features. binary: whether word counts become 0 and 1. sparse: None decides by density.
        batch_graphs: training graphs a batch. note: what else to know.
    """

    source: sources.Source | None = None
    raw: str = ""
    split: str | None = None
    train: int | None = None
    val: int | None = None
    normalize: Literal["row"] | None = None
    binary: bool = False
    sparse: bool | None = None
    batch_graphs: int | None = None
    note: str = ""


def _planetoid(name: str) -> Entry:
    # Kipf and Welling 2017: public split, rows sum to 1. Sparse also for PubMed, whose 10.02 % is just above the rule.
    return Entry(sources.planetoid(name), f"{name}/raw", normalize="row", sparse=True, note="public split 20 a class")


def _shchur(dataset: str, name: str) -> Entry:
    # Shchur et al. 2018: 20 and 30 nodes a class. Words are 0 or 1 as in PyG's reader (Coauthor's files hold counts).
    source, raw = sources.named(dataset, name), f"{name}/raw"
    return Entry(source, raw, "per-class", 20, 30, "row", binary=True, note="no public split: 20 / 30 a class, seeded")


def _heterophilous(name: str) -> Entry:
    # Platonov et al. 2023: features as they are, ten public splits of 50 / 25 / 25 %.
    folder = name.lower().replace("-", "_")
    return Entry(sources.named("HeterophilousGraphDataset", name), f"{folder}/raw", note="ten public splits")


CATALOG: dict[str, Entry] = {
    "digits": Entry(split="per-class", train=20, val=30, note="embedded: 1,797 images, k nearest neighbours"),
    "cora": _planetoid("Cora"),
    "citeseer": _planetoid("CiteSeer"),
    "pubmed": _planetoid("PubMed"),
    "amazon-computers": _shchur("Amazon", "Computers"),
    "amazon-photo": _shchur("Amazon", "Photo"),
    "coauthor-cs": _shchur("Coauthor", "CS"),
    "coauthor-physics": _shchur("Coauthor", "Physics"),
    "roman-empire": _heterophilous("Roman-empire"),
    "amazon-ratings": _heterophilous("Amazon-ratings"),
    "minesweeper": replace(
        _heterophilous("Minesweeper"), note="ten public splits; papers report ROC AUC, not accuracy"
    ),
    "tolokers": replace(_heterophilous("Tolokers"), note="ten public splits; papers report ROC AUC, not accuracy"),
    "questions": replace(_heterophilous("Questions"), note="ten public splits; papers report ROC AUC, not accuracy"),
    "chameleon-filtered": Entry(note="Platonov et al. 2023, without duplicates; ten public splits; local file only"),
    "squirrel-filtered": Entry(note="Platonov et al. 2023, without duplicates; ten public splits; local file only"),
    "ppi": Entry(sources.ppi, "PPI/raw", batch_graphs=2, note="20 / 2 / 2 graphs, 121 labels; inductive"),
    "reddit": Entry(sources.alone("Reddit"), "Reddit/raw", note="features as distributed"),
    "flickr": Entry(sources.alone("Flickr"), "Flickr/raw", note="features as distributed"),
    "ogbn-arxiv": Entry(sources.ogb("ogbn-arxiv", undirected=True), note="citations in both directions; needs ogb"),
    "ogbn-products": Entry(sources.ogb("ogbn-products"), note="needs ogb"),
    "twitch-multi": Entry(note="seven graphs: train DE, val ENGB, test the others; inductive; local file only"),
    "wordnet30": Entry(
        None, "", "per-class", 20, 10, "row", note="real, but no published benchmark; the smallest class has 42 nodes"
    ),
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
    inductive: bool = False,
    normalize: Literal["default", "row"] | None = "default",
    batch_graphs: int | None = None,
    k: int | None = None,
    edges_removed: float | None = None,
    edges_seed: int | None = None,
    train_removed: float | None = None,
    train_seed: int | None = None,
    positions: int | None = None,
    walk_roots: int | None = None,
    walk_length: int | None = None,
    metric: Metric | None = None,
) -> NodeTask:
    """A node task by name.

    Tries, in this order: the embedded `digits`; ROOT/graphs/NAME.npz and ROOT/NAME.npz; PyG's dataset, which downloads
    to ROOT/pyg, or to PyG's home where there is no root that can be written.

    Args:
        name: one of `names()`, of a file in the root, or the path of an `.npz`.
        root: local data folder; the environment variable GRAPHSTILL_DATA by default.
        split: "public", the number of one of several public splits, "random", "per-class", or a Split; the dataset's
            own default (see CATALOG) if None.
        seed: of a split that is drawn.
        train, val: sizes of a split that is drawn: nodes a class, or counts or shares of a random one.
        inductive: test nodes are absent from training.
        normalize: "row", None, or the dataset's own default.
        batch_graphs: training graphs a batch, for sets of several graphs.
        k: neighbours, for digits only.
        edges_removed: share of the edges that the task is without; `task.origin` is the whole one.
        train_removed: share of the training nodes that are without label and edges; the same.
        edges_seed, train_seed: of these choices; that of the split if None.
        positions: columns of position features to add, made from the edges that are left: see `with_positions`.
        walk_roots, walk_length: train on subgraphs that random walks meet, see `with_walks`: walks a batch, and steps
            of each (2 if None).
        metric: what selects and what is tested, see `NodeTask`.

    Raises:
        DataError: unknown name, or data that can neither be found nor downloaded: the message says what to put where.
    """
    entry = CATALOG.get(name, Entry())
    arrays = _find(name, entry, Path(root) if root is not None else _environment_root(), k)
    if entry.binary:
        arrays = replace(arrays, x=binarized(arrays.x), binarized=True)
    drawn = split if split is not None else entry.split
    if split is None or split == entry.split:
        train, val = (given if given is not None else own for given, own in ((train, entry.train), (val, entry.val)))
    task = NodeTask._from(
        arrays,
        name=(arrays.saved.name if arrays.saved else Path(name).stem) if name.endswith(".npz") else name,
        split=drawn,
        seed=seed,
        train=train,
        val=val,
        inductive=inductive,
        normalize=entry.normalize if normalize == "default" else normalize,
        sparse=entry.sparse,
        batch_graphs=batch_graphs if batch_graphs is not None else entry.batch_graphs,
        metric=metric,
    )
    removals = (
        ("edges", edges_removed, edges_seed, NodeTask.without_edges),
        ("train", train_removed, train_seed, NodeTask.without_train_nodes),
    )
    for what, share, own, remove in removals:
        if share is not None:
            task = remove(task, share, seed if own is None else own)
        elif own is not None:
            raise ConfigError(f"{what}_seed={own} with dataset {name!r}: it is the seed of {what}_removed; give both")
    if positions is not None:
        task = task.with_positions(positions)
    if walk_roots is None and walk_length is not None:
        raise ConfigError(f"walk_length={walk_length} with dataset {name!r}: give walk_roots too, the walks a batch")
    length = {} if walk_length is None else {"length": walk_length}
    return task if walk_roots is None else task.with_walks(walk_roots, **length)


def loader(name: str, root: str | Path | None = None) -> Callable[..., NodeTask | GraphTask | images.ImageTask]:
    """The function that loads data of this name, and whose signature says what it takes.

    Raises:
        ConfigError: the data set of another package, and it cannot be imported or says not what it returns.
    """
    if name not in CATALOG and graph_datasets.knows(name, root):
        return graph_datasets.load
    if images.knows(name, root):
        return images.load
    known = name in CATALOG or not (is_path(name) or (name in entries("dataset") and name not in names(root)))
    return load if known else plugged.loader(name)


def names(root: str | Path | None = None) -> list[str]:
    """Names that `load` knows: those of CATALOG, and node tasks in the local folder. Of images: `images.names`."""
    folder = Path(root) if root is not None else _environment_root()
    found = [] if folder is None else [*folder.glob("*.npz"), *folder.glob("graphs/*.npz")]
    return sorted({*CATALOG, *(path.stem for path in found if _is_node_task(path))})


def _find(name: str, entry: Entry, root: Path | None, k: int | None) -> Arrays:
    if name == "digits":
        return digits_arrays() if k is None else digits_arrays(k)
    if k is not None:
        raise ConfigError(f"k={k} with dataset {name!r}: only digits are made from nearest neighbours; leave k out")
    if name.endswith(".npz"):
        return read_npz(name)
    if root is not None and not root.is_dir():
        raise DataError(f"data root {root} is not a folder: correct root=, or the variable GRAPHSTILL_DATA")
    places = [] if root is None else [root / "graphs" / f"{name}.npz", root / f"{name}.npz"]
    for path in places:
        if path.is_file():
            return read_npz(path)
    if name not in CATALOG:
        if graph_datasets.knows(name, root):
            raise DataError(f"{name!r} is a set of graphs: load it by `datasets.load_graphs`")
        if images.knows(name, root):
            raise DataError(f"{name!r} is a set of images: load it by `datasets.load_images`")
        raise DataError(
            f"no dataset is called {name!r}; {nearest(name, names(root))}; "
            "for your own give the path of an .npz, or put "
            f"{name}.npz into a folder and its path into root= or GRAPHSTILL_DATA; {LAYOUT}"
        )
    if places:
        missing, remedy = f"is not in {root}", f"the arrays at {' or '.join(map(str, places))}"
    else:
        missing = "was looked for in no folder of yours"
        remedy = f"{name}.npz into a folder, and its path into root= or GRAPHSTILL_DATA"
    if entry.source is None:
        raise DataError(f"dataset {name!r} {missing}, and cannot be downloaded: put {remedy}; {LAYOUT}")
    home = _download_root(root)
    try:
        return entry.source(home)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"dataset {name!r} {missing}, and PyG could neither download nor read it "
            f"({type(error).__name__}: {error}): put PyG's raw files into {home / entry.raw}, or {remedy}; {LAYOUT}"
        ) from error


def _environment_root() -> Path | None:
    folder = os.environ.get("GRAPHSTILL_DATA")
    return Path(folder) if folder else None


def _download_root(root: Path | None) -> Path:
    """ROOT/pyg where it is there or can be made, else PyG's own home (PYG_HOME, or ~/.cache/pyg)."""
    if root is not None and ((root / "pyg").is_dir() or os.access(root, os.W_OK)):
        return root / "pyg"
    from torch_geometric import get_home_dir

    return Path(get_home_dir())


def _is_node_task(path: Path) -> bool:
    """By names of arrays, and by whether labels are those of graphs; nothing is unpacked but headers."""
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {Path(member).stem for member in archive.namelist()}
            if not {"edge_index", "y"} <= arrays or not ("x" in arrays or set(CSR_PARTS) <= arrays):
                return False
            return (
                "graph_ptr" not in arrays
                or archives.length_of(archive, "y") != archives.length_of(archive, "graph_ptr") - 1
            )
    except archives.BROKEN:
        return False
