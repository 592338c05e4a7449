"""Published distillation methods, one file each, found by a registry.

Every module of this folder is imported here, so that a new file is known without editing another.

>>> gs.methods.make_method({"name": "kd", "temperature": 4.0}) == gs.KD(temperature=4.0)
True
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from graphstill.method import METHODS, Method, find_method, make_method

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

#: Every published method by the name of its class.
CLASSES: dict[str, type[Method]] = {cls.__name__: cls for cls in METHODS.values()}


if TYPE_CHECKING:  # written by `make format`
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
else:

    def __getattr__(name: str) -> type[Method]:
        if name in CLASSES:
            return CLASSES[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CLASSES", "METHODS", "find_method", "make_method"]
