"""The README's example runs as printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3 and "(5 seeds)" in printed[0] and "[" in printed[1] and "ensemble" in printed[2]
    task = names["task"]
    logits = names["network"](task.full_batch().x, task.full_batch().graph)
    assert logits.shape == (1797, 10)
