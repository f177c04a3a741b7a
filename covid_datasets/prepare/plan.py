"""Records to a plan: validated, grouped by what the metadata says, cut into pieces of one split each.

The plan is a function of the records and the piece size alone; workers, machine and executor change nothing.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from covid_datasets.catalog.card import Group, Patients
from covid_datasets.catalog.published import SPLITS, Identities, published_splits, read_identities
from covid_datasets.catalog.resource import Resource
from covid_datasets.errors import InvalidRecordError
from covid_datasets.prepare.components import Share, Tally
from covid_datasets.prepare.quoted import Addresses, quoted_ties
from covid_datasets.prepare.valid import problems_of
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Made, Notice, Parts, Record, Rows
from covid_datasets.splits.assign import TABLE_SPLIT, assign, everybody, is_shared, places, shared_id
from covid_datasets.splits.groups import components, links_by_patient, links_by_ties, links_of_everybody

MIN_PIECE_BYTES = 4 << 20
MAX_PIECE_BYTES = 256 << 20
PIECES = 16
"""How many pieces a source is cut into, unless they would be smaller or larger than the two bounds."""
MIN_BATCH_BYTES = 4 << 20
MAX_BATCH_BYTES = 64 << 20
BATCHES = 2000
"""How many batches all files of a build have, unless they would be smaller or larger than the two bounds.

Whoever opens a build reads where each batch begins, so there are few; a worker holds one, so each is small.
"""
ASSUMED_BYTES = 64 << 10
"""Size of a sample whose bytes are yet to be made."""
_KNOWN = Patients(known="all", how="every record says who it shows")


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring rows of one split, written by one worker into one file."""

    number: int
    split: str
    rows: tuple[tuple[int, Record], ...]
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before a pixel is read."""

    dataset: str
    pieces: tuple[Piece, ...]
    notices: tuple[Notice, ...]
    rows: int
    bytes: int
    digest: str
    shares: tuple[Share, ...] = ()

    @property
    def batch_bytes(self) -> int:
        """Size of a batch: of the whole source, and so the same for any number of pieces."""
        return min(max(self.bytes // BATCHES, MIN_BATCH_BYTES), MAX_BATCH_BYTES)

    def without_records(self) -> Plan:
        """Return the pieces without their rows: all that is needed once they are written."""
        return replace(self, pieces=tuple(replace(piece, rows=()) for piece in self.pieces))


def make_plan(
    dataset: str,
    found: Iterable[Record | Notice],
    raw: RawTree,
    shard_bytes: int | None = None,
    resources: Sequence[Resource] = (),
    addresses: Addresses = MappingProxyType({}),
    *,
    table: bool = False,
    patients: Patients = _KNOWN,
) -> Plan:
    """Enumerate a builder's records and lay them out.

    What the components among the ``resources`` lack is told one by one; ``addresses`` tie what was copied from another
    source's addresses. The rows of a table are nobody's, so all are in one split. ``patients`` is what the card says of
    them: whose ids they have, and what is kept together of rows whose patient nobody knows.
    """
    tally = Tally(resources)
    records: list[Record] = []
    sizes: list[int] = []
    notices: list[Notice] = []
    identities = read_identities(dataset)
    published = published_splits(dataset) if patients.group == "all" else {}
    present = raw.sizes()
    for item in found:
        if isinstance(item, Notice):
            notices.append(item)
            continue
        record = _with_identity(dataset, item, identities, addresses, patients, published)
        _validate(dataset, record, table, patients.group)
        size = _size(present, record)
        path = record.content.path if record.content else record.sample_id
        of_component = tally.add(path, there=size is not None)
        if size is None and of_component:
            continue
        if size is None:
            lacks = next((file for file in getattr(record.content, "files", ()) if file not in present), path)
            what = f"listed by the source, but {'the file' if lacks == path else lacks} is not there"
            notices.append(Notice("missing file", path, what, dropped=True, lost=True))
            continue
        records.append(record)
        sizes.append(size)
    _check_unique(dataset, records)
    order = sorted(range(len(records)), key=lambda row: records[row].sample_id)
    records, sizes = [records[row] for row in order], [sizes[row] for row in order]
    splits = [TABLE_SPLIT] * len(records) if table else planned_splits(dataset, records)
    pieces = _cut(records, sizes, splits, shard_bytes)
    notices += tally.notices()
    digest = _digest(records, pieces)
    return Plan(dataset, pieces, tuple(notices), len(records), sum(sizes), digest, tally.shares())


def full_patient_id(dataset: str, record: Record) -> str | None:
    """Return the globally unique person of a planned record, or, where unknown, the narrowest known group.

    There is neither where only near-duplicates keep a record together with others; no id is made up for it.
    """
    if record.patient is not None:
        return f"{dataset}/{record.patient}"
    if everybody(dataset) in record.ties:
        return everybody(dataset)
    return f"{dataset}/{record.ties[0].removeprefix(f'{dataset}/')}" if record.ties else None


def planned_splits(dataset: str, records: Sequence[Record]) -> list[str]:
    """Assign splits by what the metadata alone says; pixels may later join groups."""
    patients = [full_patient_id(dataset, record) for record in records]
    links = [*links_by_patient(patients), *links_by_ties(record.ties for record in records)]
    links += links_of_everybody(patients, links)
    units = [patient or f"{dataset}/{record.sample_id}" for patient, record in zip(patients, records, strict=True)]
    keys = places(units, (record.ties for record in records))
    return assign(components(len(records), links), units, published_splits(dataset), keys)


def _with_identity(
    dataset: str,
    record: Record,
    identities: Identities,
    addresses: Addresses,
    patients: Patients,
    published: Mapping[str, str],
) -> Record:
    """Add what is known from outside of the source, and make ties global.

    The source's own ties hold within it, but for those that name a person of shared ``ids``. Proven ones, those by page
    and those by ``ids`` that sources share hold across sources: that is how one picture in two sources is known. A flag
    ``patient_unknown`` overrules an id that the source gave to several people on purpose. Of a source that knows nobody
    a row whose tie is ``published`` is no longer one of all: it goes where the picture that it shows is elsewhere.
    """
    proven, flags = identities.get(record.sample_id, ((), ()))
    study = (f"study:{record.study}",) if record.study is not None else ()
    own = tuple(tie if is_shared(tie) else f"{dataset}/{tie}" for tie in (*record.ties, *study))
    patient = None if "patient_unknown" in flags else record.patient
    copied = quoted_ties(dataset, record, addresses)
    shared = (shared_id(patients.ids, patient),) if patients.ids and patient is not None else ()
    ties = (*proven, *own, *shared, *copied)
    if patients.group == "all" and patient is None:
        placed = [tie for tie in ties if f"{dataset}/{tie}" in published]
        ties = (*placed, *(tie for tie in ties if tie not in placed)) if placed else (*ties, everybody(dataset))
    if (patient, ties, flags) == (record.patient, record.ties, ()):  # to copy a record takes longer than to make one
        return record
    return replace(record, patient=patient, ties=ties, flags=(*record.flags, *flags))


def _size(present: Mapping[str, int], record: Record) -> int | None:
    """Size of what a record shows; ``None`` where a file of it is not among those that are present."""
    content = record.content
    if isinstance(content, File):
        return present.get(content.path)
    if isinstance(content, Parts | Made) and content.files:
        sizes = [present.get(path) for path in content.files]
        return None if None in sizes else int(sum(filter(None, sizes)) * content.expansion)
    if isinstance(content, Parts):
        return 0
    if isinstance(content, Rows):
        sizes = [present.get(path) for path in content.files]
        return None if None in sizes else sum(filter(None, sizes)) if content.bytes is None else content.bytes
    return 0 if content is None else ASSUMED_BYTES


def _validate(dataset: str, record: Record, table: bool, group: Group) -> None:
    if problems := problems_of(record, table=table, grouped=group == "near-duplicates"):
        raise InvalidRecordError(f"builder {dataset}, sample {record.sample_id!r}: " + "; ".join(problems))


def _check_unique(dataset: str, records: Sequence[Record]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.sample_id in seen:
            raise InvalidRecordError(
                f"builder {dataset}: sample id {record.sample_id!r} was yielded twice; ids are unique"
            )
        seen.add(record.sample_id)


def _cut(
    records: Sequence[Record], sizes: Sequence[int], splits: Sequence[str], shard_bytes: int | None
) -> tuple[Piece, ...]:
    limit = shard_bytes or min(max(sum(sizes) // PIECES, MIN_PIECE_BYTES), MAX_PIECE_BYTES)
    pieces: list[Piece] = []
    for split in SPLITS:
        rows: list[tuple[int, Record]] = []
        held = 0
        for row, record in enumerate(records):
            if splits[row] != split:
                continue
            if rows and held + sizes[row] > limit:
                pieces.append(Piece(len(pieces), split, tuple(rows), held))
                rows, held = [], 0
            rows.append((row, record))
            held += sizes[row]
        if rows:
            pieces.append(Piece(len(pieces), split, tuple(rows), held))
    return tuple(pieces)


PIECE_FORMAT = 2
"""What a piece holds; pieces of a build that was begun with another one are made again."""


def _digest(records: Sequence[Record], pieces: Sequence[Piece]) -> str:
    """Digest the layout, so that a resumed build never mixes pieces of two plans."""
    digest = hashlib.sha256(f"{PIECE_FORMAT}\n".encode())
    for piece in pieces:
        digest.update(f"{piece.split}:{','.join(str(row) for row, _ in piece.rows)}\n".encode())
    for record in records:  # references to functions have no stable text, so they count by their path
        masks = [(name, mask.path) for name, mask in (*record.masks.items(), *record.volume_masks.items())]
        beside = f" {record.beside.path}" if record.beside else ""
        digest.update(f"{record.content and record.content.path} {masks} {_said(record)}{beside}\n".encode())
    return digest.hexdigest()


_REFERENCES = {"image", "volume", "video", "rows", "masks", "volume_masks", "beside"}
_PLAIN = operator.attrgetter(*(item.name for item in fields(Record) if item.name not in _REFERENCES))


def _said(record: Record) -> tuple[Any, ...]:
    """Give what a record says without its references; for half a million records much quicker than their own text."""
    said: tuple[Any, ...] = _PLAIN(record)
    return said
