"""Run recipes and commit what they print: the raw results behind every table.

    python benchmarks/reproduce.py [RECIPE ...]          (all of recipes/ by default)

Each recipe runs in runs/NAME (resumed where it was cut off) and leaves benchmarks/results/NAME.json. Tables are then
made by `graphstill report benchmarks/results --update README.md`.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import torch

from graphstill.allocator import recycle_large_buffers
from graphstill.study.recipe import read_recipe
from graphstill.study.runner import run_recipe

ROOT = Path(__file__).parents[1]


def main(recipes: list[Path]) -> None:
    torch.set_num_threads(1)
    recycle_large_buffers()
    for path in recipes:
        started = time.perf_counter()
        recipe = read_recipe(path)
        directory = ROOT / "runs" / recipe.name
        result = run_recipe(recipe, directory, resume=directory.exists())
        shutil.copy(directory / "comparison.json", ROOT / "benchmarks" / "results" / f"{recipe.name}.json")
        for figure, difference in (result["comparison"] or {}).items():
            print(f"{recipe.name} {figure}: {difference['summary']}", flush=True)
        print(f"{recipe.name}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main([Path(p) for p in sys.argv[1:]] or sorted((ROOT / "recipes").glob("*.yaml")))
