"""`graphstill bench` for Python: networks of any kind beside each other, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphstill.deploy.bench import bench as measure
from graphstill.deploy.source import OwnTask, Trained


class Measured(list[dict[str, Any]]):
    """A row a network, plain values; as text the table that `graphstill bench` prints.

    Attributes:
        details: all that was measured, as `graphstill bench --json` prints it.
    """

    def __init__(self, details: dict[str, Any]) -> None:
        none: dict[str, Any] = {}
        super().__init__(row | {"ratios": details["ratios"].get(row["role"], none)} for row in details["models"])
        self.details = details

    def __str__(self) -> str:
        from rich.console import Console

        from graphstill.deploy.bench_table import table

        console = Console(width=200)
        with console.capture() as capture:
            console.print(table(self.details))
        return "\n".join(line.rstrip() for line in capture.get().splitlines())


def bench(
    *networks: Trained | Mapping[str, Trained],
    task: OwnTask = None,
    threads: int = 1,
    rounds: int = 20,
    seconds: float = 0.1,
    engine: str | None = None,
    pyg: bool = False,
    show: bool = True,
) -> Measured:
    """Measure trained networks beside each other: size, latency, memory, as `graphstill bench` does.

    Args:
        networks: runs and their folders, exported folders, trained modules or `Teacher`s, one after another, or one
            mapping that gives each a name. The first is what the others are compared with. Each is exported and runs
            without torch; a module that cannot be exported makes its full passes in torch, and has no other times.
        task: the data they were trained on, or the file of its `save`; checked by its hash. Exported folders of a named
            data set and runs of recipes find theirs by themselves.
        threads: of each prediction.
        rounds: how often they take turns.
        seconds: about how long the slowest is measured for each kind of call in each round.
        engine: "onnx", "split" or "int8" for all of them.
        pyg: also time full passes of the same networks in torch, eagerly.
        show: print the table.

    Returns:
        A row a network: role, model, engine, test figures, `parameters`, `bytes`, `multiply_adds`, `node_ms`,
        `batch_ms`, `full_ms` (percentiles of milliseconds), their CPU times, `nodes_per_second`, `memory_mb`, and
        `ratios`, how many times as much as the first it costs.

    Raises:
        ConfigError, DataError, ExportError, CheckpointError: what is wrong, where, and what to do.
    """
    first = networks[0] if len(networks) == 1 else None
    given: Any = first if isinstance(first, Mapping) else networks
    measured = Measured(
        measure(given, task=task, threads=threads, rounds=rounds, seconds=seconds, engine=engine, pyg=pyg)
    )
    if show:
        print(measured)
    return measured
