import json
import pickle
import zipfile

import numpy as np
import pytest
import scipy.sparse

from graphstill.data import NodeTask
from graphstill.errors import DataError
from tests.data import toy


def content(**changes):
    given = toy.arrays()
    files = {key: given[key].numpy() for key in ("x", "edge_index", "y")}
    files |= {f"{part}_idx": given[part].numpy() for part in ("train", "val", "test")}
    return {key: value for key, value in (files | changes).items() if value is not None}


def written(path, **changes):
    np.savez_compressed(path, **content(**changes))
    return path


def sparse_parts(**changes):
    matrix = scipy.sparse.csr_matrix(toy.arrays()["x"].numpy())
    parts = {"x_data": matrix.data, "x_indices": matrix.indices, "x_indptr": matrix.indptr, "x_shape": matrix.shape}
    return {"x": None} | parts | changes


def masks(count):
    eye = np.eye(count, 12, dtype=np.uint8)
    return {f"{part}_masks": np.roll(eye, shift, axis=1) for shift, part in enumerate(("train", "val", "test"))}


def test_a_file_makes_the_task_of_its_arrays(tmp_path):
    task = NodeTask.from_npz(written(tmp_path / "mine.npz"))
    assert task.hash == toy.task().hash and task.name == "mine" and task.split == "public"
    assert NodeTask.from_npz(written(tmp_path / "sparse.npz", **sparse_parts())).hash == task.hash
    assert (
        NodeTask.from_npz(str(tmp_path / "mine.npz"), name="other", inductive=True).hash
        == toy.task(inductive=True).hash
    )


def test_one_of_several_masks_is_chosen_by_number(tmp_path):
    path = written(tmp_path / "a.npz", **masks(6))
    with pytest.warns(UserWarning, match="classes 1"):
        task = NodeTask.from_npz(path, split=4)
    assert [task.train_index.tolist(), task.val_index.tolist(), task.test_index.tolist()] == [[4], [5], [6]]
    with pytest.raises(DataError, match="the data has 6, numbered from 0"):
        NodeTask.from_npz(path, split=6)


def test_several_graphs_with_a_split_of_graphs(tmp_path):
    given = toy.several_graphs()
    files = {key: given[key].numpy() for key in ("x", "edge_index", "y", "graph_ptr")}
    np.savez(tmp_path / "many.npz", **files, split=np.array([0, 0, 0, 0, 1, 2]))
    assert NodeTask.from_npz(tmp_path / "many.npz").hash == NodeTask.from_arrays(**given).hash


def test_the_number_of_classes_may_be_in_meta(tmp_path):
    meta = json.dumps({"num_classes": 4, "licence": "none"})
    assert NodeTask.from_npz(written(tmp_path / "a.npz", meta=meta)).num_outputs == 4
    assert NodeTask.from_npz(written(tmp_path / "b.npz", meta="{}")).num_outputs == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edge_index": None}, "has no edge_index .it has: test_idx, train_idx, val_idx, x, y."),
        ({"y": None, "x": None}, "has no y and no x"),
        (sparse_parts(x_indptr=None), "has no x "),
        (sparse_parts(x_indptr=np.array([0, 40])), "are not one CSR matrix"),
        (sparse_parts(x_indices=np.full(36, 3)), "are not one CSR matrix"),
        (sparse_parts(x_shape=np.array(12)), "are not one CSR matrix"),
        ({"meta": "name: x"}, "meta of .* is not a JSON object"),
        ({"meta": "[1]"}, "meta of .* is not a JSON object"),
        ({"meta": '{"num_classes": "two"}'}, "meta of .* is not a JSON object"),
        ({"graph_ptr": np.array([0, 4, 12]), "y": np.array([0, 1])}, "one label for each of its 2 graphs"),
        ({"train_idx": None}, "no public split .train missing"),
        ({"x": np.array(1.0)}, r"x has shape \[\]"),
        ({"y": np.array(["a"] * 12)}, "y is a ndarray, not numbers"),
        ({"y": np.array([object()] * 12)}, "holds pickled Python objects"),
    ],
)  # fmt: skip
def test_files_that_hold_no_task_are_refused(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        NodeTask.from_npz(written(tmp_path / "a.npz", **changes))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = written(tmp_path / "a.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match=r"a.npz cannot be read as an .npz .* damaged, not complete"):
        NodeTask.from_npz(path)


def test_a_file_with_a_flipped_byte_is_refused(tmp_path):
    path = written(tmp_path / "a.npz")
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("x.npy").header_offset + 80
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged, not complete"):
        NodeTask.from_npz(path)


def test_other_files_are_refused(tmp_path):
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "text.npz").write_text("edge_index")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps({"x": 1}))
    with pytest.raises(DataError, match=r"one.npy is a single .npy array"):
        NodeTask.from_npz(tmp_path / "one.npy")
    with pytest.raises(DataError, match=r"text.npz cannot be read as an .npz"):
        NodeTask.from_npz(tmp_path / "text.npz")
    with pytest.raises(DataError, match=r"pickle.npz cannot be read as an .npz"):
        NodeTask.from_npz(tmp_path / "pickle.npz")
    with pytest.raises(DataError, match="is not a file"):
        NodeTask.from_npz(tmp_path)
