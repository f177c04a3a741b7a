"""The split syntax of Hugging Face: ``"train"``, ``"train+test"``, ``"train[:20%]"``, ``"all"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from covid_datasets.errors import UsageError

_PART = re.compile(r"^\s*([\w-]+)\s*(?:\[\s*(-?\d+)?(%)?\s*:\s*(-?\d+)?(%)?\s*\])?\s*$")


@dataclass(frozen=True, slots=True)
class Part:
    """Rows ``start`` to ``stop`` of a split."""

    split: str
    start: int
    stop: int


def parse_split(spec: str, sizes: Mapping[str, int]) -> list[Part]:
    """Turn a split specification into row ranges, given the size of each split.

    >>> parse_split("train[:20%]+test", {"train": 50, "test": 10})
    [Part(split='train', start=0, stop=10), Part(split='test', start=0, stop=10)]
    """
    parts = []
    for text in spec.split("+"):
        match = _PART.match(text)
        if match is None:
            raise UsageError(
                f"split {spec!r}: expected forms like 'train', 'train+test' or 'train[:20%]', found {text!r}"
            )
        name, start, start_percent, stop, stop_percent = match.groups()
        if name == "all" and "all" not in sizes:
            if "[" in text:
                raise UsageError(f"split {spec!r}: expected a range of one split, found a range of 'all'")
            parts += [Part(split, 0, size) for split, size in sizes.items()]
            continue
        if name not in sizes:
            raise UsageError(f"split {spec!r}: expected one of {', '.join(sizes)}, found {name!r}")
        if start and stop and (start_percent != stop_percent):
            raise UsageError(f"split {spec!r}: expected both ends as rows or both in per cent, found {text.strip()!r}")
        if any(
            abs(int(value)) > 100 for value, sign in ((start, start_percent), (stop, stop_percent)) if value and sign
        ):
            raise UsageError(f"split {spec!r}: expected per cents from -100 to 100, found {text.strip()!r}")
        size = sizes[name]
        first = _boundary(start, bool(start_percent), size, 0)
        parts.append(Part(name, first, max(first, _boundary(stop, bool(stop_percent), size, size))))
    return parts


def _boundary(value: str | None, percent: bool, size: int, default: int) -> int:
    if value is None:
        return default
    rows = round(int(value) * size / 100) if percent else int(value)
    return min(max(size + rows, 0), size) if rows < 0 else min(rows, size)
