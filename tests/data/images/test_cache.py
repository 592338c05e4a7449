import json
import logging
import mmap
import os
import threading
import time

import numpy as np
import pytest

from graphstill.data.images import cache
from graphstill.data.images.raw import RawImages, arranged, make_store
from graphstill.lock import Lock
from tests.data.images import tiny


class Files(cache.Source):
    """A source that counts how often it is read."""

    def __init__(self, path, wait=0.0, **changes):
        given = tiny.arrays(**changes)
        path.write_bytes(given["train"].tobytes()[:100])
        times = []

        def read():
            times.append(time.monotonic())
            time.sleep(wait)
            return RawImages(**given, classes=tiny.NAMES)

        super().__init__("some", path, [path], read)
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "store", arranged(make_store(RawImages(**given, classes=tiny.NAMES), "some")))

    @property
    def folder(self):
        return cache.cache_home() / "images" / f"some-{self.key()}"


def equal(one, other):
    assert (one.train, one.classes) == (other.train, other.classes)
    for name in ("images", "labels", "digests", "sums"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


def is_mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


@pytest.fixture
def source(tmp_path):
    return Files(tmp_path / "source")


def test_images_are_decoded_once_and_then_mapped(source):
    for _ in range(3):
        found = cache.stored(source)
        equal(found, source.store)
        assert is_mapped(found.images)
    assert len(source.times) == 1
    notes = json.loads((source.folder / "cache.json").read_text())
    assert notes["arrays"]["images"] == ["uint8", 48, 3, 8, 8]
    assert set(notes["sha256"]) == {"images", "labels", "digests", "sums"}
    assert sorted(path.name for path in source.folder.parent.iterdir()) == [source.folder.name]  # no lock, no rest


def test_a_file_that_changed_is_decoded_again(source):
    cache.stored(source)
    before = source.folder
    os.utime(source.files[0], ns=(1, 1))
    assert source.folder != before
    cache.stored(source)
    assert len(source.times) == 2


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty, os.unlink])
@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "digests.npy", "sums.npy", "cache.json"])
def test_a_damaged_cache_is_never_used_and_made_again(source, name, damage, caplog):
    used = cache.stored(source)
    if (name, damage) == ("cache.json", flip):
        (source.folder / name).write_text('{"format": 0}')
    else:
        damage(source.folder / name)
    equal(cache.stored(source), source.store)
    assert len(source.times) == 2
    assert "is damaged or not complete: it is made again" in caplog.text
    equal(cache.stored(source), source.store)
    assert len(source.times) == 2
    assert used.labels.shape == source.store.labels.shape  # who has the old one open keeps it
    assert sorted(path.name for path in source.folder.parent.iterdir()) == [source.folder.name]


def test_a_copied_cache_is_compared_by_digest_once(source, monkeypatch):
    cache.stored(source)
    os.utime(source.folder / "images.npy", ns=(1, 1))
    compared = []
    digests = cache._digests
    monkeypatch.setattr(cache, "_digests", lambda arrays: compared.append(1) or digests(arrays))
    for _ in range(2):
        equal(cache.stored(source), source.store)
    assert len(source.times) == 1 and len(compared) == 1


def test_of_several_that_ask_at_once_one_decodes(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "PATIENCE", 5.0)
    source, found = Files(tmp_path / "source", wait=0.5), []
    threads = [threading.Thread(target=lambda: found.append(cache.stored(source))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(source.times) == 1 and len(found) == 3
    for store in found:
        equal(store, source.store)


def test_who_waited_long_enough_decodes_as_well(source, monkeypatch):
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    with Lock(source.folder.with_name(f"{source.folder.name}.lock")):
        equal(cache.stored(source), source.store)
    equal(cache.stored(source), source.store)
    assert len(source.times) == 1


def test_what_a_killed_process_left_is_removed(source):
    left = source.folder.with_name(f".{source.folder.name}.left")
    left.mkdir(parents=True)
    (left / "images.npy").write_bytes(b"half")
    equal(cache.stored(source), source.store)
    assert not left.exists()


def test_where_the_cache_cannot_be_written_images_are_decoded_each_time(source, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("GRAPHSTILL_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            equal(cache.stored(source), source.store)
    assert len(source.times) == 2 and "cannot be written" in caplog.text


def test_the_cache_is_in_the_home_folder_unless_a_variable_says_otherwise(monkeypatch, tmp_path):
    assert cache.cache_home() == tmp_path / "cache"
    monkeypatch.delenv("GRAPHSTILL_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_home() == tmp_path / ".cache" / "graphstill"


def test_the_order_of_images_depends_on_them_alone():
    given = tiny.arrays()
    order = np.random.default_rng(0).permutation(36)
    mixed = given | {"train": given["train"][order], "train_labels": given["train_labels"][order]}
    one, other = (arranged(make_store(RawImages(**data), "some")) for data in (given, mixed))
    equal(one, other)
    assert one.labels[:36].tolist() == sorted(one.labels[:36].tolist())
