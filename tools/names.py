"""Public names, written out for type checkers: `python -m tools.names` rewrites the lists where a method was added.

At run time names are found in the registry, so that a method is one file; a type checker reads no registry.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "graphstill"
BLOCK = re.compile(r"(    # methods:begin\n).*?(    # methods:end\n)", re.DOTALL)


def lists() -> dict[Path, str]:
    """Each file with such a list, and what it should hold."""
    from graphstill.methods import METHODS

    homes = sorted((cls.__module__, cls.__name__) for cls in METHODS.values())
    lines = "".join(f"    from {module} import {name} as {name}\n" for module, name in homes)
    files = (PACKAGE / "__init__.py", PACKAGE / "methods" / "__init__.py")
    return {path: BLOCK.sub(rf"\g<1>{lines}\g<2>", path.read_text(encoding="utf-8")) for path in files}


if __name__ == "__main__":
    for path, text in lists().items():
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: names of methods written anew")
