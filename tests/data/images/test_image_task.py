import json

import numpy as np
import pytest
import torch

from graphstill.data import ImageTask, NodeTask
from graphstill.errors import DataError, SealError
from tests.data import toy
from tests.data.images import tiny
from tests.data.images.test_augment import choices


def bytes_of(task, batch):
    """The bytes that a batch was made from."""
    scale, shift = torch.tensor(task.std)[:, None, None], torch.tensor(task.mean)[:, None, None]
    return ((batch.x * scale + shift) * 255).round().to(torch.uint8)


def originals(given):
    """uint8 [images, channels, height, width] by id, of tasks that keep all images in their order."""
    images = np.concatenate([given["train"], given["test"]])
    return torch.from_numpy(images.reshape(*images.shape[:3], -1).transpose(0, 3, 1, 2))


def test_the_parts_are_what_was_asked_for_and_share_no_image():
    task = tiny.task()
    parts = [task.train_index, task.val_index, task.test_index]
    assert [len(part) for part in parts] == [27, 9, 12]
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(task.num_nodes))
    assert task.test_index.tolist() == list(range(36, 48))
    assert torch.bincount(task.y[task.val_index]).tolist() == [3, 3, 3]
    assert (task.kind, task.metric, task.multi_label, task.inductive, task.origin) == (
        *("image", "accuracy", False, True, None),
    )
    assert (task.in_features, task.image_size, task.num_outputs, task.num_edges) == (3, (8, 8), 3, 0)
    small = tiny.task({"per_class": 4})
    assert torch.bincount(small.y[small.train_index]).tolist() == [4, 4, 4] and len(small.val_index) == 9
    assert "validation drawn from the training images (a class: train=4, val=3; seed=0)" in small.split


def test_less_is_a_part_of_more():
    def pixels(task, part):
        return {image.numpy().tobytes() for image in task._pixels[task._rows[getattr(task, part)]]}

    given = tiny.arrays(classes=6)
    tasks = [tiny.task({"per_class": count}, **given) for count in (2, 5, None)]
    assert pixels(tasks[0], "train_index") < pixels(tasks[1], "train_index") < pixels(tasks[2], "train_index")
    assert len({frozenset(pixels(task, "val_index")) for task in tasks}) == 1
    few, some = (tiny.task({"classes": count}, **given) for count in (2, 4))
    assert set(few.classes) < set(some.classes) and len(some.classes) == 4
    assert list(some.classes) == sorted(some.classes)
    for part in ("train_index", "val_index", "test_index"):
        assert pixels(few, part) < pixels(some, part) < pixels(tasks[2], part)
    assert few.y.unique().tolist() == [-1, 0, 1] and few.num_outputs == 2
    assert len({tiny.task({"classes": 2, "seed": seed}, **given).classes for seed in range(5)}) > 1


@pytest.mark.parametrize(("batch_size", "sizes"), [(8, [8, 8, 8, 3]), (13, [13, 13]), (25, [25, 2]), (64, [27])])
def test_an_epoch_shows_each_training_image_once_and_no_batch_of_one(batch_size, sizes):
    task = tiny.task({"batch_size": batch_size})
    batches = task.training_batches(0)
    assert [len(batch.nodes) for batch in batches] == sizes
    seen = torch.cat([batch.nodes for batch in batches])
    assert len(seen.unique()) == len(seen) == sum(sizes) and bool(torch.isin(seen, task.train_index).all())
    for batch in batches:
        assert torch.equal(batch.y, task.y[batch.nodes]) and batch.x.shape == (len(batch.nodes), 3, 8, 8)
        assert batch.train_rows.tolist() == list(range(len(batch.nodes))) and batch.val_rows.tolist() == []
        assert (batch.graph.num_nodes, batch.graph.num_edges, batch.full) == (len(batch.nodes), 0, False)


def test_batches_are_a_pure_function_of_seed_and_epoch():
    def content(task, epoch, seed=0):
        return [(batch.nodes.tolist(), batch.x.numpy().tobytes()) for batch in task.training_batches(epoch, seed)]

    options = {"augment": "crop-flip"}
    task = tiny.task(options)
    epochs = [content(task, epoch) for epoch in range(4)]
    torch.manual_seed(3)
    np.random.default_rng(3)
    fresh = tiny.task(options)
    assert fresh.training_batches(2)[1].x.numpy().tobytes() == epochs[2][1][1]  # not even those before it matter
    assert [content(fresh, epoch) for epoch in reversed(range(4))] == epochs[::-1]
    orders = {str([nodes for nodes, _ in epoch]) for epoch in epochs}
    assert len(orders) == 4
    assert content(task, 0, seed=1) != epochs[0]
    plain = tiny.task()
    assert [nodes for nodes, _ in content(plain, 2)] == [nodes for nodes, _ in epochs[2]]


def test_training_images_are_augmented_and_others_are_not():
    given = tiny.arrays()
    task = tiny.task({"augment": "crop-flip"}, **given)
    images = originals(given)
    same = 0
    for batch in task.training_batches(0):
        for image, found in zip(images[batch.nodes], bytes_of(task, batch), strict=True):
            assert bool((choices(image) == found).flatten(1).all(dim=1).any())
            same += torch.equal(image, found)
    assert same < 5
    validation = task.validation_batch()
    assert validation is task.validation_batch()
    assert torch.equal(validation.nodes, task.val_index) and torch.equal(validation.y, task.y[task.val_index])
    assert validation.val_rows.tolist() == list(range(9)) and validation.train_rows.tolist() == []
    full = task.full_batch()
    for batch in (validation, full, tiny.task(None, **given).training_batches(0)[0]):
        assert torch.equal(bytes_of(task, batch), images[batch.nodes])
    assert torch.equal(full.nodes, torch.arange(task.num_nodes)) and torch.equal(full.y, task.y)
    assert torch.equal(full.train_rows, task.train_index) and torch.equal(full.val_rows, task.val_index)


def test_pixels_are_normalised_over_the_training_images_alone():
    given = tiny.arrays(size=(8, 6, 3))
    given["train"][..., 2] = 40  # a channel without deviation
    task = tiny.task(None, **given)
    x = task.full_batch().x[task.train_index].double()
    assert x.mean(dim=(0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-6)
    assert x.std(dim=(0, 2, 3), correction=0) == pytest.approx([1, 1, 0], abs=1e-6)
    learnt = originals(given)[task.train_index].double() / 255
    assert task.mean == pytest.approx(learnt.mean(dim=(0, 2, 3)).tolist())
    assert task.std == pytest.approx(learnt.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-9)
    brighter = tiny.task(None, **given | {"test": 255 - given["test"]})
    assert (brighter.mean, brighter.std) == (task.mean, task.std)
    assert task.protocol()["pixel_mean"] == list(task.mean) and task.protocol()["pixel_std"] == list(task.std)


def everything(thing, depth=0):
    """All that hangs on a task but the seal, private or not, as text."""
    if isinstance(thing, torch.Tensor):
        return str(thing.tolist())
    if isinstance(thing, dict):
        return str({key: everything(item, depth + 1) for key, item in thing.items()})
    if isinstance(thing, list | tuple):
        return str([everything(item, depth + 1) for item in thing])
    if depth < 4 and hasattr(thing, "__dict__"):
        return everything({key: item for key, item in vars(thing).items() if key != "test"}, depth + 1)
    return repr(thing)


def test_nothing_of_a_task_tells_test_labels():
    given = tiny.arrays()
    swapped = given | {"test_labels": (given["test_labels"] + 1) % 3}
    one, other = (tiny.task(None, **data) for data in (given, swapped))

    def shown(task):
        batches = [*task.training_batches(0), task.validation_batch(), task.full_batch()]
        text = everything(task) + everything(batches) + str(task.protocol()) + repr(task)
        return text.replace(task.hash, "HASH").replace(task.hash[:12], "HASH")

    assert shown(one) == shown(other) and one.hash != other.hash
    assert one.y[one.test_index].tolist() == [-1] * 12
    train = given | {"train_labels": given["train_labels"][::-1].copy()}
    assert shown(tiny.task(None, **train)) != shown(one)  # the comparison can tell


def test_the_test_set_is_opened_once_and_scored():
    given = tiny.arrays()
    task = tiny.task({"augment": "crop-flip"}, **given)
    opened = task.test.open("run", "validation accuracy")
    assert torch.equal(opened.batch.nodes, task.test_index) and opened.batch.y.tolist() == [-1] * 12
    assert torch.equal(bytes_of(task, opened.batch), originals(given)[task.test_index])
    assert opened.labels().tolist() == given["test_labels"].tolist()
    right = torch.nn.functional.one_hot(opened.labels(), 3).float()
    assert opened.score(torch.stack([right, right.roll(1, 1)])).tolist() == [1, 0]
    moved = task.to("cpu")
    with pytest.raises(SealError, match="opened the test set before"):
        moved.test.open("run", "validation accuracy")
    assert moved.hash == task.hash
    assert torch.equal(moved.training_batches(1)[2].x, task.training_batches(1)[2].x)
    assert moved.validation_batch() is not task.validation_batch()


def test_the_hash_follows_what_is_learnt_from_and_what_is_tested():
    given = tiny.arrays()
    images = np.concatenate([given["train"], given["test"]])
    task = tiny.task(None, **given)
    hashes = [task.hash]
    for part in (task.train_index, task.val_index, task.test_index):
        changed = images.copy()
        changed[int(part[1]), 3, 3, 1] ^= 1
        hashes.append(tiny.task(None, **given | {"train": changed[:36], "test": changed[36:]}).hash)
    other_label = given["test_labels"].copy()
    other_label[0] = (other_label[0] + 1) % 3
    hashes.append(tiny.task(None, **given | {"test_labels": other_label}).hash)
    for options in ({"seed": 1}, {"per_class": 8}, {"val_per_class": 2}, {"classes": 2}, {"augment": "crop"}):
        hashes.append(tiny.task(options, **given).hash)
    assert len(set(hashes)) == len(hashes)
    same = tiny.task({"batch_size": 4, "name": "other"}, **given, class_names=["x", "y", "z"])
    assert same.hash == task.hash
    grey = tiny.arrays(size=(8, 8))
    channel = grey | {part: grey[part][..., None] for part in ("train", "test")}
    assert tiny.task(None, **grey).hash == tiny.task(None, **channel).hash


def test_a_teacher_of_another_task_is_refused():
    task = tiny.task()
    assert task.check_teacher(tiny.task().hash, "the teacher") is task
    with pytest.raises(DataError, match=r"the teacher was made from other data .* may have seen this task's test"):
        task.check_teacher(tiny.task({"seed": 1}).hash, "the teacher")


def test_the_protocol_has_what_that_of_a_node_task_has_and_is_plain():
    task = tiny.task({"augment": "crop"})
    protocol = task.protocol()
    node = toy.task()
    assert isinstance(node, NodeTask) and isinstance(task, ImageTask)
    assert set(protocol) - set(node.protocol()) == {
        *("image_size", "pixel_mean", "pixel_std", "augmentation", "batch_size"),
    }
    assert set(node.protocol()) <= set(protocol)
    assert json.loads(json.dumps(protocol)) == protocol
    assert (protocol["augmentation"], protocol["batch_size"], protocol["image_size"]) == ("crop", 8, [8, 8])


def test_on_another_device_only_the_images_of_the_task_are_there():
    task = tiny.task({"classes": 2, "per_class": 4})
    moved = task.to("meta")  # a device with shapes but no numbers, which every machine has
    assert tuple(moved._pixels.shape) == (task.num_nodes, 3, 8, 8)
    held = [moved._pixels, moved._rows, moved._part, moved._scale, moved._shift, moved.y]
    held += [moved.train_index, moved.val_index, moved.test_index]
    assert {tensor.device.type for tensor in held} == {"meta"}
    assert task.y.device.type == "cpu" and moved.hash == task.hash
