"""The pickles in CIFAR's archives, read as plain data.

Python's own reader runs whatever a pickle tells it to. This one follows only the instructions that build numbers, text,
lists, tuples, mappings and arrays of bytes, and stops at the first other one: nothing is imported, nothing is called.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphstill.errors import DataError

_MARK = object()
_IGNORED = {"PROTO"}
_VALUES = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "BINBYTES", "SHORT_BINBYTES"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
#: The names that an array of bytes needs (old and new NumPy, Python 2 and 3); they stand for themselves.
_NAMES = {
    "numpy.core.multiarray _reconstruct": "array",
    "numpy._core.multiarray _reconstruct": "array",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
}


@dataclass(frozen=True)
class _Name:
    name: str


class _Array:
    """An array that is being described: empty first, then with its state."""

    def __init__(self) -> None:
        self.content: np.ndarray | None = None


def read_pickle(content: bytes, where: str) -> Any:
    """The value of a pickle of protocol 0 to 3 that holds nothing but data.

    Text of Python 2 comes as str in Latin-1, one character a byte; arrays are of bytes (uint8) only.

    Raises:
        DataError: an instruction or a name that such data does not need, or a damaged file.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    position = 0
    try:
        for opcode, argument, at in pickletools.genops(content):
            position = at or 0
            if opcode.name == "STOP":
                return _plain(stack.pop())
            if not _step(opcode.name, argument, stack, memo):
                shown = opcode.name if argument is None else f"{opcode.name} {str(argument)[:60]}"
                raise DataError(
                    f"instruction {shown} at byte {at} of the pickle {where}: data does not need it and it could run "
                    "code, so the file was not read further; get the archive from its publisher, or use its binary one"
                )
    except DataError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise DataError(
            f"the pickle {where} cannot be read after byte {position} ({type(error).__name__}: {error}): "
            "the file is damaged or not complete; get it again"
        ) from error
    raise DataError(f"the pickle {where} has no end: the file is not complete; get it again")


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> bool:
    """Follows one instruction; False where it is not one of those that data needs."""
    if name in _VALUES or name in _TEXTS:
        stack.append(argument)
    elif name in _PUTS:
        memo[argument] = stack[-1]
    elif name in _GETS:
        stack.append(memo[argument])
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "GLOBAL":
        if argument not in _NAMES:
            return False
        stack.append(_Name(_NAMES[argument]))
    elif name in ("EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE"):
        stack.append({"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}[name]())
    elif name in ("LIST", "TUPLE"):
        items = _to_mark(stack)
        stack.append(items if name == "LIST" else tuple(items))
    elif name == "DICT":
        stack.append(_pairs(_to_mark(stack)))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        count = int(name[-1])
        stack[-count:] = [tuple(_top(stack, count))]
    elif name in ("APPEND", "APPENDS"):
        items = [stack.pop()] if name == "APPEND" else _to_mark(stack)
        list.extend(stack[-1], items)
    elif name in ("SETITEM", "SETITEMS"):
        items = [stack.pop(-2), stack.pop()] if name == "SETITEM" else _to_mark(stack)
        dict.update(stack[-1], _pairs(items))
    elif name == "REDUCE":
        arguments = stack.pop()
        stack[-1] = _described(stack[-1], arguments)
    elif name == "BUILD":
        _fill(stack[-2], stack.pop())
    else:
        return name in _IGNORED
    return True


def _top(stack: list[Any], count: int) -> list[Any]:
    if len(stack) < count:
        raise IndexError(f"{count} values wanted, {len(stack)} there")
    return stack[-count:]


def _to_mark(stack: list[Any]) -> list[Any]:
    for begin in range(len(stack) - 1, -1, -1):
        if stack[begin] is _MARK:
            items = stack[begin + 1 :]
            del stack[begin:]
            return items
    raise IndexError("no mark on the stack")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _described(what: Any, arguments: Any) -> Any:
    """What calling `what` would make, for the three calls that an array of bytes is described by."""
    if what == _Name("array") and arguments[0] == _Name("ndarray"):
        return _Array()
    if what == _Name("dtype") and arguments[0] in ("u1", "|u1"):
        return _Name("bytes")
    if what == _Name("encode") and len(arguments) == 2:  # how Python 3 writes bytes in protocols 0 to 2
        return _latin(arguments[0])
    raise ValueError(f"a call of {what} with {str(arguments)[:60]}; arrays are of bytes (uint8)")


def _fill(what: Any, state: Any) -> None:
    if what == _Name("bytes"):  # byte order and alignment, which single bytes do not have
        return
    if not isinstance(what, _Array):
        raise TypeError(f"a state for {type(what).__name__}")
    _, shape, kind, by_columns, content = state
    if kind != _Name("bytes"):
        raise TypeError("an array that is not of bytes")
    found = np.frombuffer(content if isinstance(content, bytes) else _latin(content), np.uint8)
    what.content = found.reshape(shape, order="F" if by_columns else "C")


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


def _plain(value: Any) -> Any:
    """The value with arrays for their descriptions, which are found as entries of a mapping only."""
    if isinstance(value, dict):
        return {key: item.content if isinstance(item, _Array) else item for key, item in value.items()}
    return value
