"""Why a result may be wrong, and how much that weighs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to distrust a result; ``weight`` is what it leaves of the confidence, from 0 to 1.

    One that ``refuses`` says that there is no result at all.
    """

    what: str
    weight: float
    refuses: bool = False


def confidence_of(doubts: Sequence[Doubt]) -> float:
    """Multiply what the doubts leave; without any it is 1.

    >>> confidence_of([Doubt("grey levels", 0.9), Doubt("one lung", 0.5)])
    0.45
    """
    return round(float(np.prod([doubt.weight for doubt in doubts])), 3) if doubts else 1.0


def reasons_of(doubts: Sequence[Doubt]) -> tuple[str, ...]:
    """List the doubts, the gravest first."""
    return tuple(doubt.what for doubt in sorted(doubts, key=lambda doubt: doubt.weight))
