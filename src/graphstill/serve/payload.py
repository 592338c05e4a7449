"""From the bytes of a request to checked arrays."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Collection
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from graphstill.errors import nearest
from graphstill.serve.refusal import Refusal, shown

BODY = "the request body"


def parse(body: bytes, known: Collection[str], needed: Collection[str]) -> dict[str, Any]:
    """The object in a body.

    Raises:
        Refusal: 400 for what is no JSON; 422 for no object, NaN or infinity, a key that is unknown or missing.
    """
    try:
        found = json.loads(body, parse_constant=_constant)
    except (ValueError, RecursionError) as error:  # among the first: bytes that are no text, numbers of 5,000 digits
        raise Refusal(400, f"The body is not JSON ({error or 'nested too deeply'}). Send one JSON object.") from error
    if not isinstance(found, dict):
        _refuse(f"The body is {shown(found)}", BODY, f"Send an object with {', '.join(needed)}")
    for key in found:
        if key not in known:
            _refuse(f"Unknown key {shown(key)}", BODY, f"Remove or correct it: {nearest(key, known)}")
    for key in needed:
        if key not in found:
            _refuse(f"{key} is missing", BODY, f"Send an object with {', '.join(needed)}")
    return found


def flag(found: dict[str, Any], key: str) -> bool:
    """True or false; false where it is left out."""
    value = found.get(key, False)
    if not isinstance(value, bool):
        _refuse(f"{key} is {shown(value)}", BODY, "Send true or false")
    return bool(value)


def node_ids(value: Any, num_nodes: int, most: int) -> npt.NDArray[np.int64]:
    """Ids [requested] of existing nodes, at least one.

    Raises:
        Refusal: 422.
    """
    if not isinstance(value, list) or not value:
        _refuse(f"nodes is {shown(value)}", BODY, "Send a list of at least one node id")
    if len(value) > most:
        _refuse(f"nodes has {len(value):,} ids, more than {most:,}", BODY, "Ask in several requests")
    return _numbers(value, "nodes", num_nodes)


def features(value: Any, width: int, most: int) -> npt.NDArray[np.float32]:
    """Features [nodes, width] of at least one node, all finite.

    Raises:
        Refusal: 422.
    """
    if not isinstance(value, list) or not value:
        _refuse(f"x is {shown(value)}", BODY, f"Send a list of rows of {width} numbers, at least one")
    if len(value) > most:
        _refuse(f"x has {len(value):,} rows, more than {most:,} nodes", BODY, "Send a smaller subgraph")
    for i, row in enumerate(value):
        if not isinstance(row, list):
            _refuse(f"x[{i}] is {shown(row)}", BODY, f"Send a list of {width} numbers for each node")
        if len(row) != width:
            _refuse(
                f"x[{i}] has {len(row)} numbers instead of {width}", BODY, "Send the features that it was trained on"
            )
        if not set(map(type, row)) <= {int, float}:  # true and "1" would pass for numbers
            odd = next(entry for entry in row if type(entry) not in (int, float))
            _refuse(f"x[{i}] holds {shown(odd)}", BODY, "Send numbers only")
    try:
        with np.errstate(over="ignore"):
            x = np.array(value, dtype=np.float64).astype(np.float32)
        finite = np.isfinite(x)
    except OverflowError:  # an integer beyond float64
        finite = np.array([[abs(entry) < 1e38 for entry in row] for row in value])
    if not finite.all():
        i, j = (int(k) for k in np.argwhere(~finite)[0])
        _refuse(f"x[{i}][{j}] is {shown(value[i][j])}, too large for float32", BODY, "Send finite numbers below 3e38")
    return x


def images(value: Any, shape: tuple[int, ...], most: int) -> npt.NDArray[np.uint8]:
    """Images [n, *shape] from the base64 of their bytes, in this order; at least one.

    Raises:
        Refusal: 422.
    """
    wanted = f"the base64 of uint8 [n, {', '.join(map(str, shape))}]"
    if not isinstance(value, str) or not value:
        _refuse(f"images is {shown(value)}", BODY, f"Send a text: {wanted}")
    try:
        content = base64.b64decode(value, validate=True)
    except ValueError as error:
        _refuse(f"images is no base64 ({error})", BODY, f"Send {wanted}")
    count, rest = divmod(len(content), math.prod(shape))
    if rest or not count:
        _refuse(f"images has {len(content):,} bytes, not {math.prod(shape):,} for each image", BODY, f"Send {wanted}")
    if count > most:
        _refuse(f"images holds {count:,} of them, more than {most:,}", BODY, "Ask in several requests")
    return np.frombuffer(content, np.uint8).reshape(count, *shape)


def edges(value: Any, num_nodes: int, most: int) -> npt.NDArray[np.int64]:
    """Sources and targets [2, edges], maybe none.

    Raises:
        Refusal: 422.
    """
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(row, list) for row in value):
        _refuse(f"edge_index is {shown(value)}", BODY, "Send two lists: sources and targets")
    if len(value[0]) != len(value[1]):
        lengths = f"{len(value[0])} sources and {len(value[1])} targets"
        _refuse(f"edge_index has {lengths}", BODY, "Send as many sources as targets")
    if len(value[0]) > most:
        _refuse(f"edge_index has {len(value[0]):,} edges, more than {most:,}", BODY, "Send a smaller subgraph")
    return np.stack([_numbers(row, f"edge_index[{i}]", num_nodes) for i, row in enumerate(value)])


def _numbers(value: list[Any], what: str, num_nodes: int) -> npt.NDArray[np.int64]:
    """A list of node numbers as an array, each in 0 .. num_nodes - 1."""
    if not set(map(type, value)) <= {int}:
        i = next(i for i, entry in enumerate(value) if type(entry) is not int)
        _refuse(f"{what}[{i}] is {shown(value[i])}", BODY, "Send node ids as whole numbers")
    if value and not (min(value) >= 0 and max(value) < num_nodes):
        i = next(i for i, entry in enumerate(value) if not 0 <= entry < num_nodes)
        _refuse(f"{what}[{i}] is {shown(value[i])}, no node", BODY, f"Send ids from 0 to {num_nodes - 1:,}")
    return np.array(value, dtype=np.int64)


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is no number of JSON", BODY, "Send finite numbers")


def _refuse(what: str, where: str, do: str) -> NoReturn:
    raise Refusal(422, f"{what}. Where: {where}. {do}.")
