"""Axes of a volume by the names of where they lead: turned around without a calculation on voxels."""

from __future__ import annotations

from typing import Any

import numpy as np

from covid_datasets.errors import UsageError
from covid_datasets.read.orientation import nearest_axes

_LEADS = {"L": (0, False), "R": (0, True), "P": (1, False), "A": (1, True), "S": (2, False), "I": (2, True)}
"""Letter -> the axis of the patient, to the left, back or head (LPS), and whether it leads the other way."""
_TOLD_NOTHING = ((1, 1, 1, 1), (-1, -1, 1, 1))
"""Diagonals of affines to RAS: the axes of NIfTI, and those of ITK."""


def axis_codes(given: Any) -> str:
    """Take the letters that say where columns, rows and slices lead, such as "LPS".

    The first says where one gets from column to column, the second from row to row, the third from slice to slice:
    to the patient's Left or Right, to the back (Posterior) or front (Anterior), to the head (Superior) or feet
    (Inferior).

    >>> axis_codes("las")
    'LAS'
    """
    letters = given.upper() if isinstance(given, str) else ""
    axes = sorted(_LEADS[letter][0] for letter in letters if letter in _LEADS)
    if axes != [0, 1, 2] or len(letters) != len(axes):
        raise UsageError(
            "to_orientation: expected three letters, one each of L or R, A or P, S or I, such as 'LPS' or 'RAS', "
            f"found {given!r}"
        )
    return letters


def turns(affine: np.ndarray, codes: str) -> tuple[tuple[int, bool], ...]:
    """Say of each new axis (column, row, slice) which old one it is, and whether it goes the other way.

    ``affine`` goes from (column, row, slice) to LPS millimetres. An oblique volume keeps its angles: each axis is
    named by the one of the patient that it is nearest to.

    >>> turns(np.diag([1.0, 1.0, 1.0, 1.0]), "RPS")
    ((0, True), (1, False), (2, False))
    """
    own = nearest_axes(affine)
    wanted = (_LEADS[letter] for letter in codes)
    return tuple((own[axis][0], own[axis][1] != backwards) for axis, backwards in wanted)


def believed(affine: np.ndarray | None) -> np.ndarray | None:
    """Return an affine, but none where it is what programs write that were told nothing: ones, from the origin on.

    Whoever takes lengths or sides from that would be wrong; where voxels are stored it changes nothing.

    >>> believed(np.eye(4)) is believed(np.diag([-1.0, -1.0, 1.0, 1.0])) is None
    True
    >>> believed(np.diag([0.7, 0.7, 5.0, 1.0])).diagonal().tolist()
    [0.7, 0.7, 5.0, 1.0]
    """
    told = affine is not None and any(np.array_equal(affine, np.diag(ones)) for ones in _TOLD_NOTHING)
    return None if told else affine


def codes_of(affine: np.ndarray) -> str:
    """Name where columns, rows and slices lead; ``affine`` goes to LPS millimetres.

    >>> codes_of(np.diag([-1.0, -1.0, 1.0, 1.0]))
    'RAS'
    """
    names = {value: letter for letter, value in _LEADS.items()}
    found = ["", "", ""]
    for axis, (source, backwards) in enumerate(nearest_axes(affine)):
        found[source] = names[axis, backwards]
    return "".join(found)
