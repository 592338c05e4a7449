"""Malformed exported folders and image trees, drawn by a seed."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.generators import Case


def folders(rng: random.Random, exported: Path) -> Iterator[Case]:
    """An exported folder with values of its manifest replaced, or files cut, swapped and gone."""
    manifest = json.loads((exported / "manifest.json").read_text("utf-8"))
    places = list(_places(manifest))
    odd = [None, True, -1, 0, 10**30, 1.5, "", "x", "../x", [], {}, [[]], ["a"], {"a": 1}, "é" * 300]
    while True:
        seed = rng.randrange(2**31)
        how = rng.choice(["value", "value", "value", "gone", "cut", "text"])
        yield Case(
            "folder", f"{how} {seed}", lambda f, s=seed, h=how: _folder(exported, f / "student", s, h, places, odd)
        )


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield (*path, key)
        yield from _places(part, (*path, key))


def _folder(exported: Path, folder: Path, seed: int, how: str, places: list[tuple[Any, ...]], odd: list[Any]) -> Path:
    rng = random.Random(seed)
    shutil.copytree(exported, folder)
    path = folder / "manifest.json"
    if how == "value":
        manifest = json.loads(path.read_text("utf-8"))
        for _ in range(rng.choice([1, 1, 1, 2])):
            place, at = rng.choice(places), manifest
            try:
                for key in place[:-1]:
                    at = at[key]
                if rng.random() < 0.2:
                    del at[place[-1]]
                else:
                    at[place[-1]] = rng.choice(odd)
            except (KeyError, IndexError, TypeError):
                pass  # the first change took the second's place away
        path.write_text(json.dumps(manifest), "utf-8")
    elif how == "text":
        path.write_text(rng.choice(["", "[" * 100_000, "{}", "[]", "null", '{"format": 1}', "{", "\ufeff{}"]), "utf-8")
    else:
        file = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
        if how == "gone":
            file.unlink()
        else:
            content = file.read_bytes()
            file.write_bytes(content[: rng.randrange(len(content) + 1)])
    return folder


def image_files(rng: random.Random) -> Iterator[Case]:
    """A folder of images of which some are damaged, huge, of another format, or no files at all."""
    while True:
        seed = rng.randrange(2**31)
        yield Case("images", f"{seed}", lambda folder, s=seed: _images(folder / "tree", s))


def _images(folder: Path, seed: int) -> Path:
    from PIL import Image

    rng, own = random.Random(seed), np.random.default_rng(seed)
    for part in ("train", "test"):
        for label in ("a", "b"):
            place = folder / part / label
            place.mkdir(parents=True)
            for i in range(4):
                Image.fromarray(own.integers(0, 255, (8, 8, 3)).astype("u1")).save(place / f"{i}.png")
    files = sorted(folder.rglob("*.png"))
    for file in rng.sample(files, rng.randint(1, 3)):
        if not file.exists():
            continue  # its folder was emptied
        content = bytearray(file.read_bytes())
        how = rng.choice(["flip", "cut", "empty", "text", "eps", "size", "grey", "gone", "name"])
        if how == "flip":
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif how == "cut":
            del content[rng.randrange(len(content)) :]
        elif how == "empty":
            content.clear()
        elif how == "text":
            content[:] = b"not an image"
        elif how == "eps":
            content[:] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
        elif how == "size":
            content[16:24] = rng.choice([0, 9, 20_000, 2**31 - 1]).to_bytes(4, "big") * 2
        elif how == "grey":
            Image.fromarray(own.integers(0, 255, (8, 9)).astype("u1")).save(file)
            continue
        elif how == "gone":
            for other in file.parent.iterdir():
                other.unlink()
            continue
        elif how == "name":
            file.rename(file.with_name(f"{file.stem}\udcff.png"))
            continue
        file.write_bytes(bytes(content))
    return folder
