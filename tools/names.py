"""Public names, written out for type checkers: `python -m tools.names` rewrites the lists where a method was added.

At run time names are found in the registry, so that a method is one file; a type checker reads no registry.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "graphstill"
FILES = (PACKAGE / "__init__.py", PACKAGE / "methods" / "__init__.py")
BLOCK = re.compile(r"(    # methods:begin\n)(.*?)(\n?    # methods:end\n)", re.DOTALL)


def wanted() -> list[str]:
    """The imports that should be there, sorted."""
    from graphstill.methods import METHODS

    homes = sorted((cls.__module__, cls.__name__) for cls in METHODS.values())
    return [f"    from {module} import {name} as {name}" for module, name in homes]


def written(path: Path) -> list[str]:
    """Those that are there, sorted."""
    found = BLOCK.search(path.read_text(encoding="utf-8"))
    return [] if found is None else sorted(line for line in found[2].split("\n") if line)


if __name__ == "__main__":
    for path in FILES:
        if written(path) != sorted(wanted()):
            lines = "".join(f"{line}\n" for line in wanted())
            text = BLOCK.sub(rf"\g<1>{lines}\g<3>", path.read_text(encoding="utf-8"))
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: names of methods written anew")
