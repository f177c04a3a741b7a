"""Which rows of different sources show one picture or one person, and how that is known."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from covid_datasets.splits.groups import MIN_CORRELATION
from covid_datasets.splits.index import Index

Kind = Literal["same bytes", "same pixels", "near-duplicate", "same name", "tie", "registered"]
_HEX = re.compile(r"[0-9a-f]{8,}")
_MIN_DISTINCT = 4
"""Different characters that a run of hexadecimal digits must have; a serial number such as 00000001 has two."""
_LONG = 16
"""Characters of a name that hardly two people think of, if there is a digit among them."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Evidence about two rows; where it is not ``proven``, their looks do not bear it out."""

    kind: Kind
    first: int
    second: int
    proven: bool
    evidence: str


def find_overlaps(index: Index, likeness: Callable[[int, int], float | None]) -> list[Overlap]:
    """List the evidence between rows of different sources, of every kind.

    ``likeness`` correlates two pictures however one was cropped out of the other, ``None`` where there are none. It is
    asked only for rows of one name, so that few pictures are decoded, and two at a time are in memory.
    """
    samples = index.texts("sample_id")
    sources = [sample.split("/", 1)[0] for sample in samples]
    found: list[Overlap] = []
    hashes: tuple[tuple[Kind, str], ...] = (("same bytes", "sha256"), ("same pixels", "pixel_hash"))
    for kind, column in hashes:
        keys = [(key,) if key else () for key in index.telling(column)]
        for key, first, second in _across(keys, sources):
            found.append(Overlap(kind, first, second, True, f"{column} {key}"))
    found += [Overlap("near-duplicate", each.first, each.second, True, each.key) for each in index.near_links(sources)]
    names = [(name,) if (name := distinctive_name(sample)) else () for sample in samples]
    unique = Counter((source, *name) for source, name in zip(sources, names, strict=True))
    names = [name if unique[source, *name] == 1 else () for source, name in zip(sources, names, strict=True)]
    for name, first, second in _across(names, sources):
        found.append(_same_name(name, first, second, likeness(first, second)))
    found += [Overlap("tie", first, second, True, tie) for tie, first, second in _across(index.ties, sources)]
    return in_order(found, index)


def in_order(found: Iterable[Overlap], index: Index) -> list[Overlap]:
    """Sort by what the rows are called, then by kind and evidence."""
    samples = index.texts("sample_id")
    return sorted(found, key=lambda each: (samples[each.first], samples[each.second], each.kind, each.evidence))


def distinctive_name(sample: str) -> str:
    """Return the stem of a file name where two sources hardly share it by chance, else nothing.

    >>> distinctive_name("a/b343e657.jpg"), distinctive_name("a/figure-1.png"), distinctive_name("a/00000001.png")
    ('b343e657', '', '')
    """
    stem = PurePosixPath(sample).stem.casefold()
    if any(len(set(run)) >= _MIN_DISTINCT for run in _HEX.findall(stem.replace("-", ""))):
        return stem
    return stem if len(stem) >= _LONG and any(map(str.isdecimal, stem)) else ""


def _same_name(name: str, first: int, second: int, likeness: float | None) -> Overlap:
    if likeness is None:
        return Overlap("same name", first, second, False, f"{name}, not compared: no picture that can be decoded")
    proven = likeness >= MIN_CORRELATION
    verdict = "confirmed" if proven else "contradicted"
    return Overlap("same name", first, second, proven, f"{name}, {verdict} by looks: correlation {likeness:.3f}")


def _across(keys: Sequence[Sequence[str]], sources: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each key with each pair of rows of different sources that have it."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, held in enumerate(keys):
        for key in held:
            rows[key].append(row)
    for key, members in rows.items():
        for place, first in enumerate(members):
            for second in members[place + 1 :]:
                if sources[first] != sources[second]:
                    yield key, first, second
