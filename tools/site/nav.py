"""The order in which the pages teach; a new page is found without being listed, a new method's too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ORDER = [
    ("Start", "index.md"),
    ("Guide", "guide.md"),
    ("Protocol", "protocol.md"),
    ("Guard", "guard.md"),
    ("Methods", "methods"),
    ("Plug-ins", "plugins.md"),
    ("Results", "results.md"),
    ("Deployment", "deploy.md"),
    ("Speed", "performance.md"),
    ("Whole graphs", "graphs.md"),
    ("Images", "images.md"),
    ("Changing graphs", "changing-graphs.md"),
    ("Transfer", "transfer.md"),
    ("API", "api.md"),
]


def on_config(config: Any) -> Any:
    """Write the menu."""
    root = Path(config["docs_dir"])
    listed = {name for _, name in ORDER}
    nav: list[dict[str, Any]] = []
    for title, name in ORDER:
        if (root / name).is_dir():
            pages = sorted((root / name).glob("*.md"), key=lambda page: (page.name != "index.md", page.name))
            nav.append({title: [f"{name}/{page.name}" for page in pages]})
        elif (root / name).is_file():
            nav.append({title: name})
    nav += [
        {page.stem.replace("-", " ").capitalize(): page.name}
        for page in sorted(root.glob("*.md"))
        if page.name not in listed
    ]
    config["nav"] = nav
    return config
