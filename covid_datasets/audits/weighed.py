"""What evidence means for a split: which rows leak, which have two labels, which have to go, and what a part lacks."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from covid_datasets.audits.bonds import KINDS, OF_PICTURES, Bond, people
from covid_datasets.audits.known import known_pictures, read_index
from covid_datasets.audits.looks import Look
from covid_datasets.audits.removal import removals
from covid_datasets.audits.report import Audit, Finding, Gone, Known, Level, Pair, part_of
from covid_datasets.audits.sample import Gathered, Sample
from covid_datasets.audits.thorough import MOST, registered
from covid_datasets.catalog.published import told_apart
from covid_datasets.catalog.taxonomy import agree, label_names
from covid_datasets.extras import is_installed
from covid_datasets.schema import Notice
from covid_datasets.splits.groups import Link, components

_UNREADABLE_TOLD = 20


def weighed(
    gathered: Gathered, looks: Sequence[Look | None], bonds: Sequence[Bond], scheme: str | None, level: Level | None
) -> Audit:
    """Look for copies on the level that is asked for, or fits, and hold all evidence against the split."""
    samples = gathered.samples
    pictures = sum(look is not None and look.measured.pixel_hash is not None for look in looks)
    shown = sum(
        sample.read is not None and sample.form == "picture" and look is not None and bool(look.measured.pixel_hash)
        for sample, look in zip(samples, looks, strict=True)
    )
    level, why = _level(level, shown)
    if level == "thorough":
        bonds = [*bonds, *registered(samples, looks, bonds)]
    if gathered.sources:
        apart = told_apart()
        bonds = [bond for bond in bonds if not _is_told_apart(bond, samples, apart)]
    patients = people(samples, looks)
    splits = [sample.split for sample in samples]
    straddling = [bond for bond in bonds if any(True for _ in bond.pairs(splits))]
    pairs: dict[tuple[str, tuple[int, int]], Pair] = {}
    for pair in (pair for bond in straddling for pair in _pairs(bond, splits, samples, patients)):
        pairs.setdefault((pair.kind, pair.rows), pair)  # two rows may have several ties
    return Audit(
        what=gathered.what,
        scheme=scheme,
        level=level,
        why=why,
        samples=samples,
        pictures=pictures,
        parts=part_of(samples, patients),
        findings=tuple(_findings(bonds, splits)),
        pairs=tuple(pairs.values()),
        contradictions=tuple(_contradictions(bonds, samples, patients)),
        known=tuple(
            Known(samples[row].name, splits[row], source, sample, kind)
            for row, source, sample, kind in known_pictures(looks, gathered.sources)
        ),
        removed=tuple(
            Gone(samples[each.row].name, splits[each.row], _why(each.bond, samples[each.because]), each.row)
            for each in removals(samples, straddling)
        ),
        notices=(*gathered.notices, *_unreadable(samples, looks), *_lopsided(samples, scheme)),
        notes=gathered.notes,
        covered=tuple(name for name in read_index().sources if name not in gathered.sources) if pictures else (),
    )


def _is_told_apart(bond: Bond, samples: Sequence[Sample], apart: Collection[frozenset[str]]) -> bool:
    """Tell whether the catalog knows that two pictures of ours that look alike show two people."""
    if bond.kind not in ("near-duplicate", "registered"):
        return False
    pairs = itertools.product(bond.first, bond.second)
    return any(frozenset((samples[one].name, samples[other].name)) in apart for one, other in pairs)


def _level(asked: Level | None, pictures: int) -> tuple[Level, str]:
    """Choose how thoroughly to look, and say why."""
    finds = "also cropped, turned, mirrored, inverted and framed copies"
    if asked == "thorough":
        return "thorough", f"as asked for; {pictures:,} pictures, {finds}"
    if asked == "quick":
        return "quick", f"as asked for; {pictures:,} pictures, whole copies alone"
    if not pictures:
        return "quick", "there is no picture to look at"
    if pictures > MOST:
        return "quick", f"{pictures:,} pictures, more than {MOST:,}; --level thorough finds {finds}"
    if not is_installed("cv2"):
        return "quick", f"OpenCV is not installed; with pip install 'covid_datasets[audit]' it finds {finds}"
    return "thorough", f"{pictures:,} pictures, no more than {MOST:,}; {finds}"


def _pairs(
    bond: Bond, values: Sequence[object], samples: Sequence[Sample], patients: Sequence[str | None]
) -> Iterator[Pair]:
    for rows in bond.pairs(values):
        one, other = (samples[row] for row in rows)
        who = (patients[rows[0]], patients[rows[1]])
        evidence = f"{bond.kind} {bond.evidence}" if bond.kind in ("patient", "group", "tie") else bond.evidence
        splits, labels = (one.split, other.split), (one.label, other.label)
        yield Pair(one.name, other.name, bond.kind, bond.score, splits, labels, who, evidence, rows)


def _findings(bonds: Sequence[Bond], splits: Sequence[str]) -> Iterator[Finding]:
    """Count, for each kind of bond, the groups that these make, and how many lie in several parts."""
    for kind in KINDS:
        own = [bond for bond in bonds if bond.kind == kind]
        links = [Link("tie", bond.rows[0], row, "") for bond in own for row in bond.rows[1:]]
        members: dict[int, list[int]] = defaultdict(list)
        groups = components(len(splits), links) if links else []
        for row in sorted({row for bond in own for row in bond.rows}):
            members[groups[row]].append(row)
        torn = [rows for rows in members.values() if len({splits[row] for row in rows}) > 1]
        yield Finding(kind, len(members), len(torn), sum(map(len, torn)))


def _contradictions(bonds: Sequence[Bond], samples: Sequence[Sample], patients: Sequence[str | None]) -> Iterator[Pair]:
    """Yield pairs that show one picture, of which not both labels can be true."""
    labels = [sample.label for sample in samples]
    for bond in bonds:
        if bond.kind in OF_PICTURES and len({labels[row] for row in bond.rows} - {None}) > 1:
            for pair in _pairs(bond, labels, samples, patients):
                one, other = pair.labels
                if one is not None and other is not None and not _both_true(one, other):
                    yield pair


def _both_true(one: str, other: str) -> bool:
    """Tell whether two labels may stand under one picture; of labels that are no classes of ours, only one may."""
    return one == other or ({one, other} <= set(label_names()) and agree(one, other))


def _why(bond: Bond, other: Sample) -> str:
    return f"{bond.kind}: {bond.evidence}, as {other.name} in {other.split}"


def _unreadable(samples: Sequence[Sample], looks: Sequence[Look | None]) -> list[Notice]:
    """Name what could not be decoded, and count the rest."""
    found = [
        Notice("cannot be read", sample.name, look.problem)
        for sample, look in zip(samples, looks, strict=True)
        if look is not None and look.problem
    ]
    if len(found) <= _UNREADABLE_TOLD:
        return found
    more = len(found) - _UNREADABLE_TOLD
    return [
        *found[:_UNREADABLE_TOLD],
        Notice("cannot be read", found[_UNREADABLE_TOLD].where, f"and {more:,} more", count=more),
    ]


def _lopsided(samples: Sequence[Sample], scheme: str | None) -> list[Notice]:
    """Say where nothing could leak into anything, and which classes a part lacks."""
    parts = list(dict.fromkeys(sample.split for sample in samples))
    if len(parts) == 1:
        return [Notice("one part alone", parts[0], "nothing can leak: all rows are in one part of the split")]
    if scheme is not None:  # of ours it is known why, and told in the notes
        return []
    labels = sorted({sample.label for sample in samples if sample.label is not None})
    there = {(sample.label, sample.split) for sample in samples}
    lacking = {part: [label for label in labels if (label, part) not in there] for part in parts}
    return [
        Notice("class lacking", part, f"no row of {', '.join(of)}", count=len(of)) for part, of in lacking.items() if of
    ]
