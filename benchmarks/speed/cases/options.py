"""What is not switched on, and why: torch.compile, bf16. Run once, when named: compilers take tens of seconds."""

from __future__ import annotations

import torch
from benchmarks.speed import graphs, ours, pyg
from benchmarks.speed.case import OURS, Built, Step, case
from benchmarks.speed.cases.citation import KINDS

from graphstill import datasets


def define_compiled(name: str, data: str) -> None:
    @case(f"compile-{name}/{data}", f"torch.compile of {name} on {data}", rounds=3, optional=True, memory=False)
    def compiled() -> Built:
        task = datasets.load(data) if data != "ppi" else graphs.ppi_sized()
        model, network, _ = KINDS[name]

        def ours_compiled() -> Step:
            held = ours.loop(task, model)
            for block in held.group.blocks:
                block.cohort.network = torch.compile(block.cohort.network)  # type: ignore[method-assign,union-attr]
            return ours.training_step(held)

        def theirs(compiles: bool) -> Step:
            student = network(task)
            return pyg.training_step(pyg.Data(task), [torch.compile(student) if compiles else student])

        return Built(
            {
                OURS: lambda: ours.training_step(ours.loop(task, model)),
                "compiled": ours_compiled,
                "PyG": lambda: theirs(False),
                "PyG compiled": lambda: theirs(True),
            }
        )


define_compiled("gcn-64", "cora")
define_compiled("gat-8x8", "cora")


@case("bf16-product/ppi", "A x in bf16, 256 wide, forward", unit="product", rounds=5, optional=True)
def bf16_product() -> Built:
    """By the kernel behind our products in float32; torch's sparse product knows no bf16 on a CPU."""
    graph = graphs.ppi_sized().full_batch().graph.with_self_loops()
    x = torch.randn(graph.num_nodes, 256)

    def in_type(dtype: torch.dtype) -> Step:
        weights, own = graph.gcn_weights(torch.float32).to(dtype), x.to(dtype)
        return lambda: torch.embedding_bag(own, graph.source, graph.ptr, False, 0, False, weights, True)

    return Built({OURS: lambda: in_type(torch.float32), "bf16": lambda: in_type(torch.bfloat16)})


@case("bf16-matmul", "5,000 x 1,024 by 1,024 x 1,024 in bf16", unit="product", rounds=5, optional=True)
def bf16_matmul() -> Built:
    a, b = torch.randn(5000, 1024), torch.randn(1024, 1024)

    def in_type(dtype: torch.dtype) -> Step:
        one, other = a.to(dtype), b.to(dtype)
        return lambda: one @ other

    return Built({OURS: lambda: in_type(torch.float32), "bf16": lambda: in_type(torch.bfloat16)})
