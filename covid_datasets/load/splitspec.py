"""The split syntax of Hugging Face: ``"train"``, ``"train+test"``, ``"train[:20%]"``, ``"all"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from covid_datasets.errors import UsageError, did_you_mean

_PART = re.compile(
    r"(?P<split>\w+(\.\w+)*)"
    r"(\[((?P<start>-?\d[\d_]*)(?P<start_sign>%)?)?:((?P<stop>-?\d[\d_]*)(?P<stop_sign>%)?)?\])?"
    r"(\((?P<rounding>[^)]*)\))?"
)
_ROUNDINGS = ("closest", "pct1_dropremainder")
_CALLED = {
    **dict.fromkeys(("val", "valid", "dev", "development", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("training", "trn"), "train"),
    **dict.fromkeys(("testing", "tst"), "test"),
}
"""What other collections call the splits."""


@dataclass(frozen=True, slots=True)
class Range:
    """Rows ``start`` to ``stop`` of a split; a share of it where they were given as per cents."""

    split: str
    start: int
    stop: int
    share: bool = False


def split_text(split: Any) -> str:
    """Return a split as text: a text itself, ``datasets.Split.VALIDATION`` or a ``datasets.ReadInstruction``.

    >>> split_text("train[:20%]")
    'train[:20%]'
    """
    if isinstance(split, str):
        return split
    if hasattr(split, "to_spec"):
        return str(split.to_spec())
    if type(split).__name__ == "NamedSplit":
        return str(split)
    raise UsageError(
        f"split: expected forms like 'train', 'train+test', 'train[:20%]' or a list of them, found {split!r}"
    )


def parse_split(spec: str, sizes: Mapping[str, int]) -> list[Range]:
    """Turn a split specification into row ranges, given the size of each split.

    One per cent sign makes both ends per cents, as in Hugging Face; ``"train[:20%](pct1_dropremainder)"`` counts in
    whole hundredths of the split, so that equal shares have equal sizes.

    >>> parse_split("train[:20%]+test[:2]", {"train": 50, "test": 10})
    [Range(split='train', start=0, stop=10, share=True), Range(split='test', start=0, stop=2, share=False)]
    """
    parts: list[Range] = []
    roundings: set[str] = set()
    for text in (part.strip() for part in spec.split("+")):
        match = _PART.fullmatch(text)
        if match is None:
            raise UsageError(
                f"split {spec!r}: expected forms like 'train', 'train+test' or 'train[:20%]', found {text!r}"
            )
        name = match["split"]
        if name == "all" and "all" not in sizes:
            if text != "all":
                raise UsageError(f"split {spec!r}: expected a range of one split, found a range of 'all'")
            parts += [Range(split, 0, size) for split, size in sizes.items()]
            continue
        if name not in sizes:
            called = _CALLED.get(name.lower(), "")
            meant = f". Did you mean {called!r}?" if called in sizes else did_you_mean(name, sizes)
            raise UsageError(f"split {spec!r}: expected one of {', '.join(sizes)}, found {name!r}{meant}")
        rounding = _rounding(match, spec)
        roundings |= {rounding} - {""}
        first, last = (_boundary(match[end], rounding, sizes[name], spec) for end in ("start", "stop"))
        start, stop = 0 if first is None else first, sizes[name] if last is None else last
        parts.append(Range(name, start, max(start, stop), share=bool(rounding)))
    if len(roundings) > 1:
        raise UsageError(f"split {spec!r}: expected one way of rounding, found {' and '.join(sorted(roundings))}")
    return parts


def _rounding(match: re.Match[str], spec: str) -> str:
    """Say how the per cents of a part are rounded; empty where it counts rows."""
    percent = match["start_sign"] or match["stop_sign"]
    if match["rounding"] is None:
        return "closest" if percent else ""
    if not percent or match["rounding"] not in _ROUNDINGS:
        raise UsageError(f"split {spec!r}: expected ({') or ('.join(_ROUNDINGS)}) after per cents, found {match[0]!r}")
    return match["rounding"]


def _boundary(value: str | None, rounding: str, size: int, spec: str) -> int | None:
    """Turn one end of a range into a row number from 0 to ``size``; ``None`` where it is open."""
    if value is None:
        return None
    rows = int(value)
    if rounding and abs(rows) > 100:
        raise UsageError(f"split {spec!r}: expected per cents from -100 to 100, found {rows}")
    if rounding == "closest":
        rows = round(rows * size / 100)
    elif rounding:
        if size < 100:
            raise UsageError(f"split {spec!r}: expected 100 rows or more for (pct1_dropremainder), found {size}")
        rows *= size // 100
    return min(max(size + rows, 0), size) if rows < 0 else min(rows, size)
