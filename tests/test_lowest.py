"""The oldest versions that pyproject.toml declares, as constraints to install them by."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BOUND = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?>=([\d.]+)")


def test_every_lower_bound_is_a_constraint() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: needs for name, needs in project["optional-dependencies"].items() if name not in ("dev", "docs")}
    needs = [*project["dependencies"], *(need for of in extras.values() for need in of)]
    declared = {found[1]: found[2] for need in needs if (found := BOUND.match(need)) is not None}
    assert len(declared) > 10
    lines = (ROOT / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("#")[0].strip().split("==") for line in lines if "==" in line.split("#")[0])
    for name, version in declared.items():
        assert name in pinned, f"{name}>={version} is not in constraints-lowest.txt"
        assert (pinned[name] + ".").startswith(version + "."), f"{name}: {pinned[name]} there, {version} declared"
