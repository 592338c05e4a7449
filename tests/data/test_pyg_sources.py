"""PyG's own loaders, on tiny files that are written here in the original raw formats. Nothing is downloaded."""

import json
import pickle
import sys
import types

import numpy as np
import pytest
import scipy.sparse
import torch
from torch_geometric.data import Data
from torch_geometric.datasets import Planetoid

from graphstill.datasets import load
from graphstill.errors import DataError
from graphstill.ops.sparse_features import SparseFeatures
from tests.data import toy


@pytest.fixture(autouse=True)
def no_root(monkeypatch):
    monkeypatch.delenv("GRAPHSTILL_DATA", raising=False)


def folder(root, name):
    path = root / "pyg" / name
    path.mkdir(parents=True)
    return path


def ring(nodes):
    """Each node with the next; the published adjacency lists hold both directions, some edges twice, and self-loops."""
    graph = {i: [(i - 1) % nodes, (i + 1) % nodes] for i in range(nodes)}
    graph[3].extend([3, 4])
    return graph


def write_planetoid(root, name, test_ids):
    """ind.NAME.*: 6 training nodes, 500 validation nodes, test nodes in shuffled order with ids `test_ids`."""
    raw = folder(root, f"{name}/raw")
    rng = np.random.default_rng(0)
    known = 6 + 500
    words = scipy.sparse.random(known + len(test_ids), 30, density=0.1, random_state=rng, format="lil")
    words[:, 0] = 1
    words = (words != 0).astype(np.float32).tocsr()
    labels = np.eye(3, dtype=np.int32)[np.arange(known + len(test_ids)) % 3]
    parts = {
        "x": words[:6], "allx": words[:known], "tx": words[known:],
        "y": labels[:6], "ally": labels[:known], "ty": labels[known:], "graph": ring(max(test_ids) + 1),
    }  # fmt: skip
    for part, content in parts.items():
        (raw / f"ind.{name.lower()}.{part}").write_bytes(pickle.dumps(content, protocol=2))
    (raw / f"ind.{name.lower()}.test.index").write_text("".join(f"{node}\n" for node in test_ids))
    return words, labels


def test_planetoid(tmp_path):
    words, labels = write_planetoid(tmp_path, "Cora", [508, 506, 507, 509])
    task = load("cora", root=tmp_path)
    assert (task.num_nodes, task.num_edges, task.num_outputs) == (510, 2 * 510, 3)
    assert task.train_index.tolist() == list(range(6)) and task.val_index.tolist() == list(range(6, 506))
    assert task.test_index.tolist() == [506, 507, 508, 509]
    assert isinstance(task.x, SparseFeatures)  # although more than a tenth of it is not zero
    counts = torch.from_numpy(words.toarray())
    rows = counts / counts.sum(dim=1, keepdim=True)
    assert torch.allclose(task.x.to_dense()[506:], rows[[507, 508, 506, 509]])  # ids of the test nodes are shuffled
    truth = labels.argmax(1)
    assert task.y[:506].tolist() == truth[:506].tolist()
    assert task.test.open("run", "validation accuracy").labels().tolist() == truth[[507, 508, 506, 509]].tolist()


def test_nodes_of_citeseer_without_words_have_no_label(tmp_path):
    write_planetoid(tmp_path, "CiteSeer", [509, 506, 511])
    task = load("citeseer", root=tmp_path)
    assert task.num_nodes == 512 and task.test_index.tolist() == [506, 509, 511]
    drawn = load("citeseer", root=tmp_path, split="random")
    used = torch.cat([drawn.train_index, drawn.val_index, drawn.test_index])
    assert set(range(512)) - set(used.tolist()) == {507, 508, 510}


def write_shchur(path, nodes=180):
    rng = np.random.default_rng(0)
    words = scipy.sparse.random(nodes, 50, density=0.06, random_state=rng, format="csr", dtype=np.float32)
    words.data = np.ceil(words.data * 5)
    rows = np.arange(nodes)
    links = scipy.sparse.csr_matrix((np.ones(nodes), (rows, np.roll(rows, 1))), shape=(nodes, nodes))
    arrays = {}
    for name, matrix in (("adj", links), ("attr", words)):
        arrays |= {f"{name}_{key}": getattr(matrix, key) for key in ("data", "indices", "indptr", "shape")}
    np.savez(path, **arrays, labels=rows % 3)
    return words


@pytest.mark.parametrize(
    ("name", "raw"),
    [("coauthor-cs", "CS/raw/ms_academic_cs.npz"), ("amazon-photo", "Photo/raw/amazon_electronics_photo.npz")],
)
def test_coauthor_and_amazon(tmp_path, name, raw):
    words = write_shchur(folder(tmp_path, raw.rpartition("/")[0]) / raw.rpartition("/")[2])
    task = load(name, root=tmp_path)
    assert (task.num_nodes, task.num_edges, task.num_outputs) == (180, 360, 3)
    assert task.split == "per-class(train=20, val=30, seed=0)" and len(task.test_index) == 30
    # The same arrays from a local file, where they are sparse and counted, are the same data.
    rows = np.arange(180)
    edges = np.stack([np.concatenate([rows, np.roll(rows, 1)]), np.concatenate([np.roll(rows, 1), rows])])
    parts = {f"x_{key}": getattr(words, key) for key in ("data", "indices", "indptr", "shape")}
    np.savez(tmp_path / f"{name}.npz", **parts, edge_index=edges, y=rows % 3)
    local = load(name, root=tmp_path)
    assert local.hash == task.hash and isinstance(local.x, SparseFeatures) and isinstance(task.x, SparseFeatures)


def test_heterophilous(tmp_path):
    masks = {
        f"{part}_masks": np.roll(np.eye(10, 12, dtype=bool), shift, 1)
        for shift, part in enumerate(("train", "val", "test"))
    }
    given = toy.arrays()
    edges = given["edge_index"].t().numpy()[:15]
    arrays = {"node_features": given["x"].numpy(), "node_labels": given["y"].numpy(), "edges": edges}
    np.savez(folder(tmp_path, "roman_empire/raw") / "roman_empire.npz", **arrays, **masks)
    with pytest.warns(UserWarning, match="have no training node"):
        task = load("roman-empire", root=tmp_path, split=6)
    assert [task.train_index.tolist(), task.val_index.tolist(), task.test_index.tolist()] == [[6], [7], [8]]
    assert task.split == "public 6 of 10" and task.num_edges == 30
    assert torch.equal(task.x, given["x"])


def test_ppi(tmp_path):
    raw, rng = folder(tmp_path, "PPI/raw"), np.random.default_rng(0)
    sizes = {"train": (4, 5, 3), "valid": (3, 4), "test": (5, 2)}
    features, labels = {}, {}
    for part, nodes in sizes.items():
        total = sum(nodes)
        features[part] = rng.normal(size=(total, 50)).astype(np.float32)
        labels[part] = rng.integers(0, 2, (total, 7))
        labels[part][0] = 1
        ids = np.repeat(np.arange(len(nodes)) + 1, nodes)
        links = [{"source": i, "target": i + 1} for i in range(total - 1) if ids[i] == ids[i + 1]]
        links += [{"source": link["target"], "target": link["source"]} for link in links]
        graph = {
            "directed": True,
            "multigraph": False,
            "graph": {},
            "nodes": [{"id": i} for i in range(total)],
            "links": links,
        }
        (raw / f"{part}_graph.json").write_text(json.dumps(graph))
        for key, array in (("feats", features[part]), ("labels", labels[part]), ("graph_id", ids)):
            np.save(raw / f"{part}_{key}.npy", array)
    task = load("ppi", root=tmp_path)
    assert (task.multi_label, task.metric, task.inductive, task.num_outputs) == (True, "micro_f1", True, 7)
    assert task.graph_ptr.diff().tolist() == [4, 5, 3, 3, 4, 5, 2] and task.num_edges == 2 * (26 - 7)
    assert [len(index) for index in (task.train_index, task.val_index, task.test_index)] == [12, 7, 7]
    assert sorted(len(batch.nodes) for batch in task.training_batches(0)) in ([3, 9], [4, 8], [5, 7])
    validation = task.validation_batch()
    assert torch.equal(validation.x, torch.from_numpy(features["valid"]))
    assert torch.equal(validation.y, torch.from_numpy(labels["valid"]).float())
    opened = task.test.open("run", "validation micro_f1")
    assert torch.equal(opened.labels(), torch.from_numpy(labels["test"]).float())


def coo_ring(nodes=8):
    rows = np.arange(nodes)
    both = np.concatenate([rows, np.roll(rows, 1)]), np.concatenate([np.roll(rows, 1), rows])
    return scipy.sparse.coo_matrix((np.ones(2 * nodes), both), shape=(nodes, nodes))


def test_reddit(tmp_path):
    raw = folder(tmp_path, "Reddit/raw")
    x = np.arange(24, dtype=np.float64).reshape(8, 3) - 12
    np.savez(raw / "reddit_data.npz", feature=x, label=np.arange(8) % 2, node_types=np.array([1, 1, 2, 2, 3, 3, 1, 1]))
    scipy.sparse.save_npz(raw / "reddit_graph.npz", coo_ring())
    task = load("reddit", root=tmp_path)
    assert (task.num_nodes, task.num_edges) == (8, 16)
    assert [task.train_index.tolist(), task.val_index.tolist(), task.test_index.tolist()] == [
        [0, 1, 6, 7],
        [2, 3],
        [4, 5],
    ]
    assert torch.equal(task.x, torch.from_numpy(x).float())


def test_flickr(tmp_path):
    raw = folder(tmp_path, "Flickr/raw")
    links = coo_ring().tocsr()
    np.savez(raw / "adj_full.npz", **{key: getattr(links, key) for key in ("data", "indices", "indptr", "shape")})
    np.save(raw / "feats.npy", np.ones((8, 4)))
    (raw / "class_map.json").write_text(json.dumps({str(node): node % 2 for node in range(8)}))
    (raw / "role.json").write_text(json.dumps({"tr": [0, 1, 2, 3], "va": [4, 5], "te": [6, 7]}))
    task = load("flickr", root=tmp_path, inductive=True)
    assert (task.num_nodes, task.num_edges) == (8, 16)
    assert task.training_batches(0)[0].nodes.tolist() == [0, 1, 2, 3, 4, 5]


def test_open_graph_benchmark(tmp_path, monkeypatch):
    """The package is not needed: what is tested is what we make of its objects."""
    given = toy.arrays()

    class PygNodePropPredDataset:
        def __init__(self, name, root):
            assert name == "ogbn-arxiv" and root == str(tmp_path / "pyg")

        def __getitem__(self, number):
            return Data(x=given["x"], edge_index=given["edge_index"][:, :15], y=given["y"].view(-1, 1))

        def get_idx_split(self):
            return {"train": given["train"], "valid": given["val"], "test": given["test"]}

    with pytest.raises(DataError, match="ogbn-arxiv needs the package ogb, which is not installed: pip install ogb"):
        load("ogbn-arxiv", root=tmp_path)
    package = types.ModuleType("ogb.nodeproppred")
    package.PygNodePropPredDataset = PygNodePropPredDataset
    monkeypatch.setitem(sys.modules, "ogb", types.ModuleType("ogb"))
    monkeypatch.setitem(sys.modules, "ogb.nodeproppred", package)
    assert load("ogbn-arxiv", root=tmp_path).hash == toy.task().hash  # citations in both directions


def test_a_failed_download_says_what_to_put_where(tmp_path, monkeypatch):
    def download(_):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(Planetoid, "download", download)
    expected = (
        r"no route to host\): put .*raw files into .*pyg.Cora.raw, or the arrays at .*graphs.cora.npz or .*cora.npz"
    )
    with pytest.raises(DataError, match=expected):
        load("cora", root=tmp_path)
    monkeypatch.setenv("PYG_HOME", str(tmp_path / "home"))
    with pytest.raises(DataError, match=r"in no folder .*raw files into .*home.* or pubmed.npz into a folder, and its"):
        load("pubmed")


def test_a_root_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    """Where the local root is read-only, PyG's own home takes the download."""
    home, root = tmp_path / "home", tmp_path / "root"
    root.mkdir()
    write_planetoid(home, "Cora", [506, 507])
    monkeypatch.setenv("PYG_HOME", str(home / "pyg"))
    monkeypatch.setattr("graphstill.data.datasets.os.access", lambda *_: False)
    assert load("cora", root=root).num_nodes == 508
