import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphstill.data.images.pickles import read_pickle
from graphstill.errors import DataError
from tests.data.images import tiny

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 12)
BATCH = {"batch_label": "testing batch 1 of 1", "labels": [3, 300], "data": PIXELS, "filenames": ["a", "b"]}


def same(found, wanted):
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        assert type(found[key]) is type(value)
        assert found[key].tolist() == value.tolist() if key == "data" else found[key] == value


def test_what_python_2_wrote_is_read():
    same(read_pickle(tiny.python2(BATCH), "test"), BATCH)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3])
def test_what_python_3_writes_again_is_read(protocol):
    columns = BATCH | {"data": np.asfortranarray(PIXELS), "more": (), "number": 2**40, "nothing": [None, True, ("a",)]}
    same(read_pickle(tiny.python3(columns, protocol), "test"), columns)


class Runs:
    def __init__(self, what, *arguments):
        self.call = what, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(protocol, tmp_path):
    mark = tmp_path / "it ran"
    for harm in (Runs(exec, f"open({str(mark)!r}, 'w')"), Runs(np.fromfile, str(mark)), Runs(getattr, "a", "b")):
        with pytest.raises(DataError, match=r"instruction .* could run code, so the file was not read further"):
            read_pickle(tiny.python3({"data": harm}, protocol), "data_batch_1 of a.tar.gz")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"\x80\x02cposix\nsystem\nU\x02ls\x85R.", "GLOBAL posix system at byte 2 of the pickle meta"),
        (b"(S'ls'\nios\nsystem\n.", "INST os system"),
        (b"(cnumpy\ndtype\no.", "OBJ"),
        (b"cnumpy\nndarray\n)\x81.", "NEWOBJ"),
        (b"P1\n.", "PERSID 1"),
        (b"\x82\x01.", "EXT1 1"),
        (b"\x8c\x02os\x8c\x06system\x93.", "SHORT_BINUNICODE os"),
    ],
)
def test_each_instruction_that_data_does_not_need_is_named(content, shown):
    with pytest.raises(DataError, match=shown):
        read_pickle(content, "meta")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02}",
        b"e.",
        b"K\x01K\x02\x87.",
        b"(K\x01d.",
        b"K\x01K\x02a.",
        b"h\x05.",
        b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R.",  # objects: pickles within the pickle
        b"cnumpy\nndarray\nK\x01\x85R.",
        b"}K\x01b.",
        tiny.python2({"data": PIXELS}).replace(b"K\x02K\x0c\x86", b"K\x09K\x0c\x86"),
    ],
)
def test_a_damaged_pickle_is_an_error_of_the_data(content):
    with pytest.raises(DataError, match="pickle test"):
        read_pickle(content, "test")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damage_makes_it_do_anything_but_read_or_refuse(data):
    content = bytearray(tiny.python2(BATCH) if data.draw(st.booleans()) else pickle.dumps(BATCH, protocol=2))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DataError):
        read_pickle(bytes(content[: data.draw(st.integers(1, len(content)))]), "test")
