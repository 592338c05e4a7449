"""graphstill distils graph neural networks, and says honestly what was gained."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphstill import allocator as allocator
    from graphstill import datasets as datasets
    from graphstill import losses as losses
    from graphstill import methods as methods
    from graphstill import models as models
    from graphstill import threads as threads
    from graphstill.data import GraphTask as GraphTask
    from graphstill.data import ImageTask as ImageTask
    from graphstill.data import NodeTask as NodeTask
    from graphstill.deploy.export import export as export
    from graphstill.deploy.measured import Measured as Measured
    from graphstill.deploy.measured import bench as bench
    from graphstill.engine import Ensemble as Ensemble
    from graphstill.engine import Run as Run
    from graphstill.engine import Summary as Summary
    from graphstill.engine import Teacher as Teacher
    from graphstill.engine import Training as Training
    from graphstill.engine import distill as distill
    from graphstill.engine import evaluate as evaluate
    from graphstill.engine import train as train
    from graphstill.errors import GraphstillError as GraphstillError
    from graphstill.method import Method as Method

    # methods:begin
    from graphstill.methods.alignahead import Alignahead as Alignahead
    from graphstill.methods.alignahead_plus import AlignaheadPlus as AlignaheadPlus
    from graphstill.methods.at import AT as AT
    from graphstill.methods.codistill import CoDistillation as CoDistillation
    from graphstill.methods.cpf import CPF as CPF
    from graphstill.methods.crd import CRD as CRD
    from graphstill.methods.dml import DML as DML
    from graphstill.methods.ff_g2m import FFG2M as FFG2M
    from graphstill.methods.fitnet import FitNet as FitNet
    from graphstill.methods.freekd import FreeKD as FreeKD
    from graphstill.methods.gcrd import GCRD as GCRD
    from graphstill.methods.gkd import GKD as GKD
    from graphstill.methods.glnn import GLNN as GLNN
    from graphstill.methods.gnn_sd import GNNSD as GNNSD
    from graphstill.methods.graphakd import GraphAKD as GraphAKD
    from graphstill.methods.gsp import GSP as GSP
    from graphstill.methods.hkd import HKD as HKD
    from graphstill.methods.independent import Independent as Independent
    from graphstill.methods.kd import KD as KD
    from graphstill.methods.kdcl import KDCLMinLogit as KDCLMinLogit
    from graphstill.methods.kdcl import KDCLNaive as KDCLNaive
    from graphstill.methods.krd import KRD as KRD
    from graphstill.methods.lsp import LSP as LSP
    from graphstill.methods.mugsi import MuGSI as MuGSI
    from graphstill.methods.nosmog import NOSMOG as NOSMOG
    from graphstill.methods.oad import OAD as OAD
    from graphstill.methods.okddip import OKDDip as OKDDip
    from graphstill.methods.one import ONE as ONE
    from graphstill.methods.pgkd import PGKD as PGKD
    from graphstill.methods.reviewkd import ReviewKD as ReviewKD
    from graphstill.methods.rkd import RKD as RKD
    from graphstill.methods.rod import ROD as ROD
    from graphstill.methods.smoothing import Smoothing as Smoothing
    from graphstill.methods.sp import SP as SP

    # methods:end
    from graphstill.study.statistics import Comparison as Comparison
    from graphstill.study.statistics import compare as compare
    from graphstill.study.transfer import transfer_metrics as transfer_metrics

__version__ = "0.1.0"

# Where each public name lives; loaded when it is first used, so that the command answers --help without torch.
_HOMES = {
    "GraphTask": "graphstill.data",
    "ImageTask": "graphstill.data",
    "NodeTask": "graphstill.data",
    "export": "graphstill.deploy.export",
    "Measured": "graphstill.deploy.measured",
    "bench": "graphstill.deploy.measured",
    "Ensemble": "graphstill.engine",
    "Run": "graphstill.engine",
    "Summary": "graphstill.engine",
    "Teacher": "graphstill.engine",
    "Training": "graphstill.engine",
    "distill": "graphstill.engine",
    "evaluate": "graphstill.engine",
    "train": "graphstill.engine",
    "GraphstillError": "graphstill.errors",
    "Method": "graphstill.method",
    "Comparison": "graphstill.study.statistics",
    "compare": "graphstill.study.statistics",
    "transfer_metrics": "graphstill.study.transfer",
    "allocator": "",
    "losses": "",
    "methods": "",
    "datasets": "",
    "models": "",
    "threads": "",
}


if not TYPE_CHECKING:  # a type checker reads the imports above: to it, this would be any name of any type

    def __getattr__(name: str) -> Any:
        try:
            return _find(name)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"graphstill.{name} needs {error.name!r}, which is not installed here: this is the runtime alone, or "
                "an installation without its dependencies; run: pip install graphstill",
                name=error.name,
            ) from error


def _find(name: str) -> Any:
    home = _HOMES.get(name)
    if home == "":
        return importlib.import_module(f"graphstill.{name}")
    if home is not None:
        return getattr(importlib.import_module(home), name)
    if name[:1].isupper():
        # Every published method is a public name: the registry knows them, no list does.
        methods = importlib.import_module("graphstill.methods")
        if name in methods.CLASSES:
            return methods.CLASSES[name]
    raise AttributeError(f"module 'graphstill' has no attribute {name!r}")


def __dir__() -> list[str]:
    classes = importlib.import_module("graphstill.methods").CLASSES
    return sorted({*globals(), *_HOMES, *classes})
