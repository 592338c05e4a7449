"""What the layout promises: who imports whom, what loads when, how long files are, what never appears."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools import architecture

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "graphstill"
# Any part may use these, and they use nothing but each other.
BASE = {"archives", "errors", "files", "plain_yaml", "typed", "lock", "environment", "allocator", "threads", "plugins"}
MAY_IMPORT = {
    "ops": set(),
    "losses": {"ops"},
    "nn": {"ops"},
    "data": {"ops"},
    "method": {"data", "losses", "nn", "ops"},
    "methods": {"method", "data", "losses", "nn", "ops"},
    "vision": {"nn", "ops"},
    "engine": {"data", "nn", "models", "method", "methods", "losses", "ops"},
    "study": {"engine", "data", "nn", "models", "method", "methods", "vision"},
    "report": {"study.statistics"},  # otherwise files only
    "deploy": {"engine", "data", "nn", "ops", "runtime", "study.statistics"},
    "runtime": set(),  # what serves a student needs numpy and onnxruntime, nothing of the training stack
    "serve": {"runtime"},
    "cli": {"study", "report", "deploy", "runtime", "serve"},
    "testing": {"engine", "data", "nn", "method", "methods", "ops"},
    "datasets": {"data"},
    "models": {"nn", "vision"},
}
SLOW = {"torch_geometric", "sklearn", "onnx", "fastapi", "uvicorn"}
SKIP = {".git", ".venv", "__pycache__", "site", "build", "dist", "runs"}


def sources() -> Iterator[Path]:
    yield from sorted(PACKAGE.rglob("*.py"))


def texts() -> Iterator[Path]:
    """Every file of the repository that is text."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        hidden = any(part in SKIP or part.endswith(("_cache", ".egg-info")) or part == ".hypothesis" for part in inside)
        if path.is_file() and not hidden and path.suffix not in (".png", ".npz", ".safetensors"):
            yield path


def imported(path: Path) -> set[str]:
    """Modules of graphstill that a file imports, anywhere in it, without the leading `graphstill.`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name.removeprefix("graphstill.") for name in names if name.startswith("graphstill.")}
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path", [p for p in sources() if part_of(p) != "__init__"], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_arrows(path: Path) -> None:
    part = part_of(path)
    allowed = BASE | ({part} | MAY_IMPORT[part] if part not in BASE else set())
    for module in imported(path):
        good = any(module == name or module.startswith(f"{name}.") for name in allowed)
        assert good, f"{path.relative_to(ROOT)} imports graphstill.{module}; {part} may import {sorted(allowed)}"


def test_no_circles() -> None:
    """No module imports one that imports it, over however many steps, imports for types included."""
    names = {
        path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__") for path in sources()
    }
    known = set(names.values())

    def module(name: str) -> str | None:
        while name not in known and "." in name:
            name = name.rpartition(".")[0]
        return name if name in known else None

    arrows = {name: {module(found) for found in imported(path)} - {name, None} for path, name in names.items()}
    while bare := [name for name, targets in arrows.items() if not targets]:
        for name in bare:
            del arrows[name]
        for targets in arrows.values():
            targets.difference_update(bare)
    assert not arrows, f"in or before a circle: {sorted(arrows)}"


def test_the_page_shows_the_rooms_as_they_are() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert architecture.picture() in page, "rooms or arrows have changed: run python -m tools.architecture"


def test_every_part_has_its_arrows() -> None:
    assert {part_of(path) for path in sources()} - {"__init__"} == set(MAY_IMPORT) | BASE


def test_slow_libraries_are_imported_where_they_are_used() -> None:
    """PyG takes three seconds to import and scikit-learn one; a run that needs neither should not wait."""
    for path in sources():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            heavy = [name for name in names if name.split(".")[0] in SLOW]
            assert not heavy, f"{path.relative_to(ROOT)} imports {heavy} at the top: import it in the function"


@pytest.mark.parametrize(
    "module",
    ["", ".cli.app", ".report", ".study.statistics", ".runtime", ".serve"],
    ids=lambda name: f"graphstill{name}",
)
def test_light_modules_load_no_torch(module: str) -> None:
    code = f"import sys, graphstill{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_does_not_load_the_compiler() -> None:
    """torch loads it when a `torch.optim.Optimizer` is made: 1.4 seconds, as long as torch itself takes."""
    code = (
        "import sys, graphstill as gs\ntask = gs.datasets.load('digits')\none = gs.Training(epochs=1)\n"
        "gs.distill(gs.models.GCN(hidden=4), task, method=gs.OAD(), peers=2, training=one)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_files_are_short() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in texts()
        if p.suffix == ".py" and (n := len(p.read_text().splitlines())) > 300
    }
    assert not long, "one file, one reason to change"


FORBIDDEN = {
    "a registry's host": r"pypi\.org|pythonhosted|download\.pytorch\.org|anaconda\.(org|com)|data\.pyg\.org",
    "pickle": r"\bpickle\.(load|dump|Unpickler)\b|allow_pickle=True",
    "torch.load that runs code": r"torch\.load\((?![^\n]*weights_only=True)",
    "a path of one machine": r"(^|[^\w.])/(work|root|home)/",
    "a place outside the repository": r"\.\./shared",
    "unfinished work": r"\bTODO\b|\bFIXME\b|\bXXX\b|NotImplementedError",
    "a skipped test": r"pytest\.(skip|importorskip)\(|mark\.(skip|skipif|xfail)\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_forbidden(what: str) -> None:
    exempt = {Path("tests/test_architecture.py"), Path("LICENSE")}
    if what == "a place outside the repository":
        exempt.add(Path(".ci/run"))  # it runs beside the shared data, and only it may know
    for path in texts():
        name = path.relative_to(ROOT)
        if name in exempt:
            continue
        found = re.search(FORBIDDEN[what], path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        assert not found, f"{what} in {name}: {found.group(0)!r}" if found else ""
