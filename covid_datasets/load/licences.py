"""What a licence text allows, for ``load_dataset(..., license=...)``; what is not stated allows nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from covid_datasets.errors import UsageError

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


@dataclass(frozen=True, slots=True)
class LicenceFilter:
    """Keep the rows whose licence is one of these permissions or texts."""

    wanted: Any
    choices: tuple[str, ...]
    name: str = "license"

    def __str__(self) -> str:
        """Write it as its user did."""
        return f"license={self.wanted!r}"

    def mask(self, table: pa.Table) -> np.ndarray:
        """Tell of each row whether it fits."""
        texts = table.column("license").to_pylist()
        return np.asarray([permitted(text, self.choices) for text in texts], dtype=bool)

    def check(self, tables: Sequence[pa.Table]) -> None:
        """Refuse what is no permission and no text of these datasets: a slip would give no rows at all."""
        known = {text for table in tables for text in table.column("license").unique().to_pylist() if text}
        for choice in self.choices:
            if choice not in PERMISSIONS and choice not in known:
                texts = ", ".join(map(repr, sorted(known))) or "none"
                raise UsageError(f"license {choice!r}: expected {', '.join(PERMISSIONS)} or a text found here: {texts}")


def check_licence(wanted: Any) -> LicenceFilter:
    """Check what can be known before the rows are: permissions have names, and all else is a text.

    >>> check_licence("comercial")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: license 'comercial': expected stated, ... Did you mean 'commercial'?
    """
    choices = tuple(wanted) if isinstance(wanted, list | tuple | set | frozenset) else (wanted,)
    if not choices or not all(isinstance(choice, str) for choice in choices):
        raise UsageError(f"license: expected {', '.join(PERMISSIONS)} or the text of a licence, found {wanted!r}")
    for choice in choices:
        near = difflib.get_close_matches(choice, PERMISSIONS, n=1, cutoff=0.8)
        if near and choice not in PERMISSIONS:
            raise UsageError(
                f"license {choice!r}: expected {', '.join(PERMISSIONS)} or the text of a licence. "
                f"Did you mean {near[0]!r}?"
            )
    return LicenceFilter(wanted, choices)
