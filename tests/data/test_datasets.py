import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import torch

import graphstill.datasets
from graphstill.datasets import CATALOG, load, names
from graphstill.errors import ConfigError, DataError
from tests.data import toy
from tests.data.test_npz_files import content, written


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("GRAPHSTILL_DATA", raising=False)


def bag_of_words(nodes_per_class=60, classes=3):
    """A file in the form of the Coauthor sets: counts of words, sparse, without a split."""
    nodes = nodes_per_class * classes
    counts = scipy.sparse.random_array((nodes, 40), density=0.05, rng=np.random.default_rng(0), format="csr")
    counts.data = np.ceil(counts.data * 9).astype(np.float32)
    parts = {"x_data": counts.data, "x_indices": counts.indices, "x_indptr": counts.indptr, "x_shape": counts.shape}
    ring = np.arange(nodes)
    return {**parts, "y": ring % classes, "edge_index": np.stack([ring, np.roll(ring, 1)])}


def test_the_local_root_is_an_argument_or_a_variable(tmp_path, monkeypatch):
    written(tmp_path / "mine.npz")
    (tmp_path / "graphs").mkdir()
    written(tmp_path / "graphs" / "yours.npz")
    expected = toy.task().hash
    assert load("mine", root=tmp_path).hash == load("yours", root=str(tmp_path)).hash == expected
    monkeypatch.setenv("GRAPHSTILL_DATA", str(tmp_path))
    assert load("mine").hash == load("yours").hash == expected
    assert load("mine").name == "mine"
    with pytest.raises(DataError, match="no dataset is called 'mine'"):
        load("mine", root=tmp_path / "graphs")  # the argument wins


def test_the_folder_graphs_comes_first(tmp_path):
    (tmp_path / "graphs").mkdir()
    written(tmp_path / "graphs" / "cora.npz")
    written(tmp_path / "cora.npz", x=np.ones((12, 3), dtype=np.float32))
    assert load("cora", root=tmp_path).hash == toy.task(normalize="row").hash


def test_a_path_is_a_name_too(tmp_path):
    path = written(tmp_path / "mine.npz")
    task = load(str(path), inductive=True)
    assert task.name == "mine" and task.hash == toy.task(inductive=True).hash


def test_defaults_of_a_named_set_hold_for_its_local_file(tmp_path):
    np.savez(tmp_path / "coauthor-cs.npz", **bag_of_words())
    task = load("coauthor-cs", root=tmp_path)
    assert task.split == "per-class(train=20, val=30, seed=0)"
    assert task.protocol()["feature_normalization"] == "row"
    words = bag_of_words()
    assert torch.allclose(
        task.x.values, 1 / task.x.ptr.diff().repeat_interleave(task.x.ptr.diff()).float()
    )  # counts are 0 or 1
    raw = load("coauthor-cs", root=tmp_path, normalize=None)
    assert raw.x.values.unique().tolist() == [1.0] and raw.x.nnz == len(words["x_data"]) and raw.hash != task.hash


def test_defaults_of_a_named_set_can_be_changed(tmp_path):
    np.savez(tmp_path / "coauthor-cs.npz", **bag_of_words())
    few = load("coauthor-cs", root=tmp_path, train=5, seed=3)
    assert few.split == "per-class(train=5, val=30, seed=3)"
    assert load("coauthor-cs", root=tmp_path, split="random").split == "random(train=0.5, val=0.25, seed=0)"
    assert (
        load("coauthor-cs", root=tmp_path, split="random", train=9, val=0.2, seed=1).split
        == "random(train=9, val=0.2, seed=1)"
    )
    written(tmp_path / "plain.npz")
    with pytest.raises(DataError, match="with a public split: its sizes are fixed"):
        load("plain", root=tmp_path, train=3)


def test_batches_of_graphs_are_an_argument(tmp_path):
    given = toy.several_graphs()
    files = {key: given[key].numpy() for key in ("x", "edge_index", "y", "graph_ptr")}
    np.savez(tmp_path / "ppi.npz", **files, split=np.array([0, 0, 0, 0, 1, 2]))
    assert len(load("ppi", root=tmp_path).training_batches(0)) == 2  # two graphs a batch, as in the literature
    assert len(load("ppi", root=tmp_path, batch_graphs=1).training_batches(0)) == 4


def test_names_are_those_of_the_catalogue_and_of_local_node_tasks(tmp_path):
    assert names() == sorted(CATALOG) and "digits" in names()
    (tmp_path / "graphs").mkdir()
    written(tmp_path / "graphs" / "mine.npz")
    np.savez(tmp_path / "words.npz", **bag_of_words())
    written(tmp_path / "graphtask.npz", graph_ptr=np.array([0, 4, 12]), y=np.array([0, 1]))
    written(tmp_path / "nofeatures.npz", x=None)
    (tmp_path / "broken.npz").write_bytes(b"PK")
    assert names(tmp_path) == sorted([*CATALOG, "mine", "words"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Cora", "no dataset is called 'Cora'; did you mean 'cora'"),
        ("min", "no dataset is called 'min'; did you mean 'mine'"),
        ("", "no dataset is called ''; known: amazon-computers"),
        (
            "chameleon-filtered",
            r"cannot be downloaded: put the arrays at .*graphs.*chameleon-filtered.npz or .*; a node task holds",
        ),
        ("there/is/none.npz", "is not a file"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(tmp_path, name, message):
    written(tmp_path / "mine.npz")
    with pytest.raises(DataError, match=message):
        load(name, root=tmp_path)


def test_without_a_root_the_message_says_how_to_give_one():
    with pytest.raises(
        DataError, match=r"in no folder of yours, .* put wordnet30\.npz into a folder, and its path into root= or GRAPH"
    ):
        load("wordnet30")


def test_a_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere is not a folder: correct root="):
        load("cora", root=tmp_path / "nowhere")


def test_neighbours_are_for_digits(tmp_path):
    written(tmp_path / "mine.npz")
    with pytest.raises(ConfigError, match="k=3 with dataset 'mine'"):
        load("mine", root=tmp_path, k=3)


def test_a_broken_local_file_is_not_passed_over_for_a_download(tmp_path):
    path = written(tmp_path / "cora.npz")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"cora.npz cannot be read"):
        load("cora", root=tmp_path)


def test_the_public_module_is_the_same_thing():
    assert graphstill.datasets.load is load and set(content()) >= {"x", "y", "edge_index"}


def test_importing_takes_no_heavy_library():
    """PyG and scikit-learn take seconds: they are imported where they are used."""
    code = (
        "import sys, graphstill.datasets\n"
        "print([m for m in ('torch_geometric', 'sklearn', 'scipy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
