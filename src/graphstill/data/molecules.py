"""Molecules: whole numbers that describe atoms and bonds, brought to the encoding of the Open Graph Benchmark.

Atoms have nine columns (atomic number, chirality, degree, formal charge, hydrogens, radical electrons, hybridisation,
aromatic, in a ring), bonds three (type, stereo, conjugated). OGB (`ogb/utils/features.py`) stores indices into lists of
known values whose last one means any other. Files that hold the raw numbers (the atomic number itself, the charge with
its sign, RDKit's numbering of stereo) are brought there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from graphstill.data.graph_arrays import GraphArrays
from graphstill.errors import DataError

#: Values of each column, as in OGB.
ATOMS = (119, 5, 12, 12, 10, 6, 6, 2, 2)
BONDS = (5, 6, 2)
#: Columns whose last value means any other; in the others there is none.
OTHERS = 7
#: RDKit's stereo of a bond (none, any, Z, E, cis, trans) in OGB's order (none, Z, E, cis, trans, any).
STEREO = np.array([0, 5, 1, 2, 3, 4])


def described(meta: Mapping[str, Any]) -> bool:
    """Whether a file says that its features are raw numbers of atoms and bonds."""
    text = meta.get("features")
    return isinstance(text, str) and "atom features" in text and "RDKit" in text


def coded(arrays: GraphArrays) -> GraphArrays:
    """The same molecules in OGB's encoding.

    Raises:
        DataError: other than nine columns for atoms and three for bonds, or no whole numbers.
    """
    x, bonds = np.asarray(arrays.x), np.asarray(arrays.edge_attr)
    if x.ndim != 2 or x.shape[1] != len(ATOMS) or bonds.ndim != 2 or bonds.shape[1] != len(BONDS):
        raise DataError(
            f"x {list(x.shape)} and edge_attr {list(bonds.shape)} of molecules: give nine columns for atoms and three "
            "for bonds"
        )
    if not (np.isfinite(x).all() and (x == np.round(x)).all()):
        raise DataError("x of molecules holds numbers that are not whole: give the raw numbers of atoms")
    atoms, bonds = x.astype(np.int64), bonds.astype(np.int64)
    atoms[:, 0] -= 1
    atoms[:, 3] += 5
    for column, count in enumerate(ATOMS):
        known = (atoms[:, column] >= 0) & (atoms[:, column] < count)
        if column >= OTHERS and not known.all():
            raise DataError(f"column {column} of x of molecules holds other values than 0 and 1")
        atoms[:, column] = np.where(known, atoms[:, column], count - 1)
    bonds[:, 0] = np.where((bonds[:, 0] >= 0) & (bonds[:, 0] < BONDS[0]), bonds[:, 0], BONDS[0] - 1)
    if ((bonds[:, 1:] < 0) | (bonds[:, 1:] >= np.array(BONDS[1:]))).any():
        raise DataError("edge_attr of molecules holds a stereo or conjugation that is not known: give RDKit's numbers")
    bonds[:, 1] = STEREO[bonds[:, 1]]
    return replace(arrays, x=atoms, edge_attr=bonds, node_codes=ATOMS, edge_codes=BONDS)
