"""What a licence text allows, for ``load_dataset(..., license=...)``; what is not stated allows nothing."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal, get_args

Permission = Literal["stated", "redistribution", "derivatives", "commercial"]
PERMISSIONS: tuple[str, ...] = get_args(Permission)

_OPEN = re.compile(r"(CC0|CC[ -]BY|Apache|MIT|PDDL|ODC-BY)\b", re.IGNORECASE)
_NO_DERIVATIVES = re.compile(r"(?<![a-z])nd(?![a-z])|no[- ]?deriv", re.IGNORECASE)
_NON_COMMERCIAL = re.compile(r"(?<![a-z])nc(?![a-z])|non[- ]?commercial", re.IGNORECASE)


def permissions(text: str | None) -> set[str]:
    """List what a licence, as its source wrote it, permits.

    >>> sorted(permissions("CC BY-NC-ND 4.0")), permissions(None)
    (['redistribution', 'stated'], set())
    """
    if not text or not text.strip():
        return set()
    found = {"stated"}
    if _OPEN.match(text.strip()):
        found.add("redistribution")
        if not _NO_DERIVATIVES.search(text):
            found.add("derivatives")
        if not _NON_COMMERCIAL.search(text):
            found.add("commercial")
    return found


def permitted(text: str | None, wanted: str | Collection[str]) -> bool:
    """Tell whether a licence passes a filter: a permission, an exact text, or several of which one must fit.

    >>> permitted("CC BY 4.0", "commercial"), permitted("CC BY-NC", "commercial"), permitted("CC BY", ["CC BY"])
    (True, False, True)
    """
    choices = [wanted] if isinstance(wanted, str) else list(wanted)
    return any(choice in permissions(text) if choice in PERMISSIONS else text == choice for choice in choices)
