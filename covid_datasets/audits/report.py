"""What an audit found: as text for people, as plain data for machines, as a page, and as the split without it."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from covid_datasets.audits.bonds import KINDS, Kind
from covid_datasets.audits.sample import Sample
from covid_datasets.disk import write_file
from covid_datasets.harmless import csv_cell, visible
from covid_datasets.schema import Notice

Level = Literal["quick", "thorough"]
SHOWN = 10
"""Pairs and notices of one kind that the text shows; JSON and the page have more."""
_FORMULAS = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows of which one is in the way of the other: in different parts, or with different labels.

    Attributes:
        first: The name of a row, as it was given.
        second: The name of the other one.
        kind: What binds them.
        score: How alike they are, up to 1, where pictures were compared; 1 for equal bytes and pixels.
        splits: The part of each.
        labels: The label of each.
        patients: The patient of each.
        evidence: What shows it.
        rows: Their numbers among the rows of the split.
    """

    first: str
    second: str
    kind: Kind
    score: float | None
    splits: tuple[str, str]
    labels: tuple[str | None, str | None]
    patients: tuple[str | None, str | None]
    evidence: str
    rows: tuple[int, int]

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.first} ({self.splits[0]}) and {self.second} ({self.splits[1]}): {self.evidence}"


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a split holds; ``unknown`` are rows of which nobody says whom they show."""

    rows: int
    patients: int
    unknown: int
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Gone:
    """A row that is not in `Audit.no_leaks`, from which part, and why."""

    name: str
    split: str
    why: str
    row: int


@dataclass(frozen=True, slots=True)
class Known:
    """A picture that is one of a public source."""

    name: str
    split: str
    source: str
    sample: str
    kind: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one kind of evidence says: groups of rows that belong together, and how many lie in several parts."""

    kind: Kind
    groups: int
    straddling: int
    leaking_rows: int


@dataclass(frozen=True)
class Audit:
    """The audit of a split. ``print`` shows it, `to_json` gives it to machines, `save_html` makes a page of it.

    Attributes:
        what: What was audited.
        scheme: The scheme of a dataset of ours; ``None`` for any other split.
        level: How it was looked for copies: "quick" or "thorough".
        why: Why it was on this level.
        samples: The rows.
        pictures: How many of them had a picture that could be looked at.
        parts: What each part of the split holds.
        findings: For each kind of evidence, how many groups there are, and how many lie in several parts.
        pairs: The leaks: pairs of rows in different parts.
        contradictions: Pairs of rows that show one picture under different labels.
        known: Pictures that are in public sources.
        removed: The rows that have to go for nothing to leak.
        notices: What was left out, missing or odd.
        notes: What a scheme of ours could not do, in sentences.
        covered: The public sources whose pictures would have been known.
    """

    what: str
    scheme: str | None
    level: Level
    why: str
    samples: Sequence[Sample] = field(repr=False)
    pictures: int
    parts: Mapping[str, Part]
    findings: tuple[Finding, ...]
    pairs: tuple[Pair, ...] = field(repr=False)
    contradictions: tuple[Pair, ...] = field(repr=False)
    known: tuple[Known, ...] = field(repr=False)
    removed: tuple[Gone, ...] = field(repr=False)
    notices: tuple[Notice, ...] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)
    covered: tuple[str, ...] = field(repr=False)

    @cached_property
    def leaks(self) -> int:
        """How many pairs of rows lie in different parts of the split and should not."""
        return len({pair.rows for pair in self.pairs})

    @property
    def dataset(self) -> str:
        """What was audited; the name that it has in the report of a build."""
        return self.what

    @property
    def rows(self) -> dict[str, int]:
        """How many rows each part of the split has."""
        return {split: part.rows for split, part in self.parts.items()}

    @cached_property
    def no_leaks(self) -> str:
        """The split without what leaks, as the text of a CSV: a row that has to go has no split any more, and says why.

        It goes back into `audit` as ``split=``, and nothing leaks.
        """
        gone = {each.row: each for each in self.removed}
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("file", "split", "label", "patient", "removed_from", "why"))
        for row, sample in enumerate(self.samples):
            left = gone.get(row)
            said = (
                "" if left else sample.split,
                sample.label or "",
                sample.patient or "",
                left.split if left else "",
                left.why if left else "",
            )
            writer.writerow((_file_cell(sample.name), *map(csv_cell, said)))
        return text.getvalue()

    def save_no_leaks(self, path: str | os.PathLike[str]) -> Path:
        """Write `no_leaks` to a file, whole or not at all."""
        return _save(path, self.no_leaks)

    def save_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one page that shows the pairs side by side; it needs no network and no other file."""
        from covid_datasets.audits.page import page

        return _save(path, page(self))

    def _repr_html_(self) -> str:
        """Show the page in a notebook, without pictures."""
        from covid_datasets.audits.page import page
        from covid_datasets.markup import framed

        return framed(page(self, pictures=False), f"Audit of {self.what}")

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "what": self.what,
            "scheme": self.scheme,
            "level": self.level,
            "why": self.why,
            "rows": len(self.samples),
            "pictures": self.pictures,
            "splits": {split: asdict(part) | {"labels": dict(part.labels)} for split, part in self.parts.items()},
            "findings": [asdict(each) for each in self.findings],
            "leaks": self.leaks,
            "pairs": [_plain(pair) for pair in self.pairs],
            "contradictions": [_plain(pair) for pair in self.contradictions],
            "known": [asdict(each) for each in self.known],
            "removed": [{"name": each.name, "split": each.split, "why": each.why} for each in self.removed],
            "notices": [{"kind": n.kind, "where": n.where, "what": n.what, "count": n.count} for n in self.notices],
            "notes": list(self.notes),
            "covered": list(self.covered),
        }

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> list[str]:
        verdict = f"LEAKS ({_pairs(self.leaks)})" if self.leaks else "no leak found"
        named = f"{self.what}, scheme {self.scheme!r}" if self.scheme else self.what
        sizes = ", ".join(f"{split} {part.rows:,}" for split, part in self.parts.items())
        lines = [f"{named} ({sizes}): {verdict}", f"  level {self.level}: {self.why}"]
        for split, part in self.parts.items():
            people = f"{part.patients:,} known patients, {part.unknown:,} rows of unknown ones"
            labels = ", ".join(f"{label} {count:,}" for label, count in part.labels.items())
            lines.append(f"  {split}: {people}" + (f"; {labels}" if labels else ""))
        for kind in KINDS:
            found = [pair for pair in self.pairs if pair.kind == kind]
            if found:
                rows = len({row for pair in found for row in pair.rows})
                lines.append(f"  {kind}: {_pairs(len(found))} of {rows:,} rows in different parts")
                lines += _some([str(pair) for pair in found])
        if self.contradictions:
            lines.append(f"  one picture, two labels: {_pairs(len(self.contradictions))}")
            lines += _some(
                [f"{p.first} ({p.labels[0]}) and {p.second} ({p.labels[1]}): {p.evidence}" for p in self.contradictions]
            )
        if self.covered:
            counts = Counter(each.source for each in self.known)
            told = ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"
            lines.append(f"  pictures of public sources: {told} (looked for those of {len(self.covered):,})")
        if self.removed:
            gone = Counter(each.split for each in self.removed)
            lines.append(
                "  without leaks (no_leaks): " + ", ".join(f"{n:,} rows of {split} go" for split, n in gone.items())
            )
        lines += [f"  {note}" for note in self.notes]
        for notice in self.notices[: 2 * SHOWN]:
            lines.append(f"  {notice.kind}: {notice.where}: {notice.what}")
        if len(self.notices) > 2 * SHOWN:
            lines.append(f"  ... and {len(self.notices) - 2 * SHOWN:,} more of these; --json has them all")
        return [visible(line, keep="") for line in lines]


def part_of(samples: Sequence[Sample], patients: Sequence[str | None]) -> dict[str, Part]:
    """Count what each part of a split holds."""
    found = {}
    for split in dict.fromkeys(sample.split for sample in samples):
        members = [(sample, who) for sample, who in zip(samples, patients, strict=True) if sample.split == split]
        found[split] = Part(
            rows=len(members),
            patients=len({who for _, who in members if who}),
            unknown=sum(not who for _, who in members),
            labels=dict(sorted(Counter(sample.label for sample, _ in members if sample.label is not None).items())),
        )
    return found


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count:,} pairs"


def _some(texts: Sequence[str]) -> list[str]:
    more = [f"      ... and {len(texts) - SHOWN:,} more; --json has them all"] if len(texts) > SHOWN else []
    return [f"      {text}" for text in texts[:SHOWN]] + more


def _plain(pair: Pair) -> dict[str, Any]:
    plain = {name: getattr(pair, name) for name in ("first", "second", "kind", "score", "evidence")}
    return plain | {name: list(getattr(pair, name)) for name in ("splits", "labels", "patients")}


def _file_cell(name: str) -> str:
    """Keep a spreadsheet from running a name: ``./=x.png`` is the file ``=x.png``."""
    return f"./{name}" if name.lstrip().startswith(_FORMULAS) else name


def _save(path: str | os.PathLike[str], text: str) -> Path:
    target = Path(path).expanduser()
    write_file(target, text.encode("utf-8", errors="surrogateescape"))
    return target
