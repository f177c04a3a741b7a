"""Pictures that are proven to be one, beside each other: lines of ``catalogs/identities/``, drawn from builds.

Each is shown only where both licences let their picture be passed on in another form.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from covid_datasets.audits.shown import Shown
from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import names
from covid_datasets.harmless import markdown
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.view.page import table
from covid_datasets.view.report.pictures import may_be_shown
from docs.site.pictures import credit, shown

MOST = 6
"""Pairs that a page shows."""
_SAID = re.compile(r"shows what (?P<other>\S.*?) shows: (?P<how>.+)")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two samples that are proven to show one picture, and how that is known."""

    first: str
    second: str
    how: str


@dataclass(frozen=True)
class Shelf:
    """What is built here, and which of its rows may be shown: sample id -> row, licence, for each source."""

    builds: Mapping[str, Built]
    rows: Mapping[str, Mapping[str, tuple[int, str]]]

    @classmethod
    def of(cls, builds: Mapping[str, tuple[Built, Card]]) -> Shelf:
        """Look which rows of finished builds may be shown."""
        rows: dict[str, dict[str, tuple[int, str]]] = {}
        for source, (built, card) in builds.items():
            allowed, _ = may_be_shown(built, card)
            if allowed:
                stored = open_table(built)
                names, licences = stored["sample_id"].to_pylist(), stored["license"].to_pylist()
                of_all = card.licence.spdx or card.licence.terms
                rows[source] = {names[row]: (row, licences[row] or of_all) for row in allowed}
        return cls({source: built for source, (built, _) in builds.items()}, rows)

    def has(self, sample: str) -> bool:
        """Tell whether a sample is built here, and may be shown."""
        return sample in self.rows.get(source_of(sample), {})


def source_of(sample: str) -> str:
    """Name the source of a sample."""
    return sample.partition("/")[0]


def proven(source: str, identities: Path) -> list[Pair]:
    """Read which pictures of a source are proven to show what another sample shows."""
    path = identities / f"{source}.tsv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    known = names()
    return [
        Pair(
            f"{source}/{row['sample_id']}",
            said["other"] if source_of(said["other"]) in known else f"{source}/{said['other']}",
            said["how"],
        )
        for row in rows
        if row["tie"].startswith("picture:") and (said := _SAID.fullmatch(row["evidence"]))
    ]


def copies(source: str, identities: Path, shelf: Shelf, page: Path) -> Iterator[str]:
    """Write the section of a page that counts proven copies, and shows some of them."""
    pairs = proven(source, identities)
    if not pairs:
        return
    samples = {name: len(found) for name, found in _by_other(pairs).items()}
    yield from ("## Proven copies", "")
    yield (
        f"Samples of this source that are proven to show what a sample of the named one shows, from "
        f"`catalogs/identities/{source}.tsv`; [how copies are found](../finder.md)."
    )
    rows = [(f"[`{name}`]({name}.md)", f"{count:,}") for name, count in Counter(samples).most_common()]
    yield from ("", *table(("source", "samples of this one"), rows))
    drawn = list(_drawn(_chosen(pairs, shelf), shelf, page))
    if drawn:
        yield from ("", "Some of them, each as its source has it, made small:", "")
        yield from table(("one sample", "the other one", "how it is known"), drawn)


def _by_other(pairs: list[Pair]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        found[source_of(pair.second)].add(pair.first)
    return found


def _chosen(pairs: list[Pair], shelf: Shelf) -> list[Pair]:
    """Choose some pairs that may be shown, of each other source in turn, always the same ones."""
    by_source: dict[str, list[Pair]] = defaultdict(list)
    seen: set[frozenset[str]] = set()
    for pair in sorted(pairs, key=lambda pair: hashlib.sha256(f"{pair.first}\t{pair.second}".encode()).digest()):
        both = frozenset((pair.first, pair.second))
        if both not in seen and shelf.has(pair.first) and shelf.has(pair.second):
            seen.add(both)
            by_source[source_of(pair.second)].append(pair)
    places = sorted((at, name) for name, found in by_source.items() for at in range(len(found)))[:MOST]
    return [by_source[name][at] for at, name in places]


def _drawn(pairs: list[Pair], shelf: Shelf, page: Path) -> Iterator[tuple[str, str, str]]:
    shows = {name: Shown([shelf.builds[name]]) for pair in pairs for name in map(source_of, (pair.first, pair.second))}
    for number, pair in enumerate(pairs):
        cells = []
        for side, sample in enumerate((pair.first, pair.second)):
            row, licence = shelf.rows[source_of(sample)][sample]
            seen = shows[source_of(sample)].pictures(row)
            if seen:
                name = f"{page.stem}-pair{number}-{side}"
                cells.append(f"{shown(seen[len(seen) // 2], page, name, sample)} {credit(sample, licence)}")
        if len(cells) == 2:
            yield cells[0], cells[1], markdown(pair.how)
