"""Ctrl-C in the middle: what is done is kept, the message tells how to go on, and that gives the same result."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from graphstill.cli.app import run

RECIPE = """\
name: long
task: digits
student: {name: gcn, hidden: 4}
method: independent
baseline: false
training: {epochs: 160, checkpoint_seconds: 0.2}
seeds: 2
"""


def test_interrupt_and_resume(tmp_path: Path, monkeypatch, capfd) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    Path("long.yaml").write_text(RECIPE)
    command = [sys.executable, "-c", "from graphstill.cli import main; main()", "distill", "long.yaml", "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 32 of 160" in line:
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    message = json.loads(out)["error"]["message"]
    assert message in err
    assert Path("runs/long-1/student/checkpoint.safetensors").exists()
    assert not Path("runs/long-1/comparison.json").exists()

    words = shlex.split(message.split("Go on with: ")[1])
    assert words == ["graphstill", "distill", "long.yaml", "--dir", "runs/long-1", "--resume"]
    capfd.readouterr()
    assert run(words[1:]) == 0
    assert "epoch 16 of 160" not in capfd.readouterr().err  # it went on, it did not start anew
    assert run(["distill", "long.yaml", "--dir", "whole"]) == 0
    parts = [json.loads(Path(path, "comparison.json").read_text())["student"] for path in ("runs/long-1", "whole")]
    assert parts[0]["test"] == parts[1]["test"]
    assert parts[0]["best_epoch"] == parts[1]["best_epoch"]
