"""`audit`: whatever somebody has, and however its split is written down."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from covid_datasets.audits import given, hugging, webdataset
from covid_datasets.audits.bonds import KINDS, OF_PICTURES, Bond, bonds_of, people
from covid_datasets.audits.builds import of_builds
from covid_datasets.audits.files import form_of
from covid_datasets.audits.known import known_pictures, read_index
from covid_datasets.audits.looks import Look, look_at_all
from covid_datasets.audits.removal import removals
from covid_datasets.audits.report import Audit, Finding, Gone, Known, Level, Pair, part_of
from covid_datasets.audits.sample import Gathered, Sample
from covid_datasets.audits.tables import ENDINGS as TABLES
from covid_datasets.audits.thorough import MOST, registered
from covid_datasets.catalog.cards import house_names
from covid_datasets.catalog.outside import outside_sources
from covid_datasets.catalog.own import OwnData, is_path
from covid_datasets.catalog.published import told_apart
from covid_datasets.catalog.taxonomy import agree, label_names
from covid_datasets.errors import NotThereError, UsageError, did_you_mean
from covid_datasets.extras import is_installed, need
from covid_datasets.schema import Notice
from covid_datasets.splits.groups import Link, components

_UNREADABLE_TOLD = 20


def audit(
    what: Any,
    scheme: str | None = None,
    *,
    split: Any = None,
    level: Level | None = None,
    columns: Mapping[str, str] | None = None,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Audit:
    """Check whether a split keeps people and pictures apart: one of ours, or anybody's.

    Args:
        what: The name of a dataset that is built, or a list of names; a folder of pictures, NIfTI or DICOM files; a
            list of such files; a table of them; a Hugging Face ``Dataset`` or ``DatasetDict``, or the folder of a
            saved one; the tar files of a WebDataset.
        scheme: Of a dataset that is built: "patient" (the default), "official", "fold-1-of-5", ….
        split: A split of one's own: a CSV, TSV, Excel or Parquet file, a data frame, a list of dictionaries, or a
            dictionary of parts and file names.
        level: "thorough" also finds copies that were cropped, turned, mirrored, inverted or put into figures. It is
            done for up to 2,000 pictures where nothing is said, and "quick" for more. Of a scheme of ours "quick" is
            enough: what a thorough search found once is published, and is in the evidence of the build.
        columns: Which column of the table tells what, where its name does not say it: ``{"split": "fold_a"}``; the
            keys are file, sha256, split, label and patient.
        config: The config of a dataset that is built.
        cache_dir: The cache folder of datasets that are built.

    >>> rows = [{"file": "a.png", "split": "train", "patient": "7"}, {"file": "b.png", "split": "test", "patient": "7"}]
    >>> report = audit(rows)
    >>> report.leaks, [(pair.first, pair.second, pair.kind) for pair in report.pairs]
    (1, [('a.png', 'b.png', 'patient')])
    >>> print(report.no_leaks)
    file,split,label,patient,removed_from,why
    a.png,,,7,train,"patient: 7, as b.png in test"
    b.png,test,,7,,
    <BLANKLINE>
    """
    if level is not None and level not in get_args(Level):
        raise UsageError(f"level: expected quick or thorough, found {level!r}{did_you_mean(level, get_args(Level))}")
    if level == "thorough":
        need("cv2")
    if scheme is not None and split is not None:
        raise UsageError("scheme, split: expected a scheme of ours or a table of your own, found both")
    columns = columns or {}
    near = None
    if is_ours(what, scheme):
        found = of_builds(what, scheme or "patient", split, columns, {"config": config, "cache_dir": cache_dir})
        gathered, looks, near = found.gathered, list(found.looks), found.near
        if not any(look and look.measured.pixel_hash for look in looks):  # a build that only hashed its bytes
            looks, near = look_at_all(gathered.samples), None
        scheme = None if split is not None else scheme or "patient"
    else:
        if scheme is not None or config is not None:
            raise UsageError(f"scheme, config: expected with a dataset that is built, found {_shown(what)}")
        gathered = gather(what, split, columns)
        looks = look_at_all(gathered.samples)
    return _weighed(gathered, looks, bonds_of(gathered.samples, looks, near), scheme, level)


def is_ours(what: Any, scheme: str | None) -> bool:
    """Tell whether something names datasets that are built; a path does so together with a scheme of its build.

    >>> is_ours("cohen", None), is_ours(["cohen", "hannover"], None), is_ours("./ward", None)
    (True, True, False)
    >>> is_ours("./ward", "patient")
    True
    """
    if isinstance(what, OwnData):
        return True
    if isinstance(what, str | os.PathLike):
        if scheme is not None:
            return True
        return _is_name(what)
    is_list = isinstance(what, Sequence) and len(what) > 0
    return is_list and all(isinstance(each, OwnData) or _is_name(each) for each in what)


def _is_name(what: object) -> bool:
    """Tell whether something can only be the name of a source: neither a path nor a file or folder that is here."""
    if not isinstance(what, str) or is_path(what) or what.lower().endswith((*TABLES, *webdataset.ENDINGS)):
        return False
    name = what.partition("@")[0]
    here = form_of(what) is not None or os.path.exists(what)
    return not here or name in house_names() or name in outside_sources(frozenset(house_names()))


def gather(what: Any, split: Any, columns: Mapping[str, str]) -> Gathered:
    """Take whatever somebody gives that is no dataset of ours."""
    if hugging.is_dataset(what):
        return hugging.of_dataset(what, split, columns)
    if isinstance(what, str | os.PathLike):
        return _of_path(what, split, columns)
    if isinstance(what, Sequence) and what and all(isinstance(each, str | os.PathLike) for each in what):
        if shards := webdataset.shards_of(what):
            return webdataset.of_shards(f"{len(shards):,} tar files", shards, split, columns)
        return given.of_files(what, split, columns)
    if split is not None:
        raise UsageError(f"what: expected pictures with split=, found {_shown(what)}")
    return given.of_table(what, columns)


def _of_path(what: str | os.PathLike[str], split: Any, columns: Mapping[str, str]) -> Gathered:
    path = Path(what).expanduser()
    shown = os.fspath(what)
    if path.is_dir():
        if hugging.is_saved(path):
            return hugging.of_saved(path, split, columns)
        if shards := webdataset.shards_of(path):
            return webdataset.of_shards(shown, shards, split, columns)
        return given.of_folder(path, split, columns)
    if shown.lower().endswith(TABLES):
        if split is not None:
            raise UsageError(
                f"{shown}: expected pictures with split=, found a table; give the folder of its files instead"
            )
        return given.of_table(path, columns)
    if shards := webdataset.shards_of(shown):
        return webdataset.of_shards(shown, shards, split, columns)
    if path.exists():
        raise UsageError(f"{shown}: expected a folder, a table ({', '.join(TABLES)}) or tar files, found another file")
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    raise NotThereError(
        f"{shown}: expected a folder, a table or tar files, found nothing{did_you_mean(path.name, beside)}"
    )


def _weighed(
    gathered: Gathered, looks: Sequence[Look | None], bonds: list[Bond], scheme: str | None, level: Level | None
) -> Audit:
    samples = gathered.samples
    pictures = sum(look is not None and look.measured.pixel_hash is not None for look in looks)
    shown = sum(
        sample.read is not None and sample.form == "picture" and look is not None and bool(look.measured.pixel_hash)
        for sample, look in zip(samples, looks, strict=True)
    )
    level, why = _level(level, shown, scheme)
    if level == "thorough":
        bonds = [*bonds, *registered(samples, looks, bonds)]
    if gathered.sources:
        apart = told_apart()
        bonds = [bond for bond in bonds if not _is_told_apart(bond, samples, apart)]
    patients = people(samples, looks)
    splits = [sample.split for sample in samples]
    straddling = [bond for bond in bonds if any(True for _ in bond.pairs(splits))]
    pairs = [pair for bond in straddling for pair in _pairs(bond, splits, samples, patients)]
    return Audit(
        what=gathered.what,
        scheme=scheme,
        level=level,
        why=why,
        samples=samples,
        pictures=pictures,
        parts=part_of(samples, patients),
        findings=tuple(_findings(bonds, splits)),
        pairs=tuple(pairs),
        contradictions=tuple(_contradictions(bonds, samples, patients)),
        known=tuple(
            Known(samples[row].name, splits[row], source, sample, kind)
            for row, source, sample, kind in known_pictures(looks, gathered.sources)
        ),
        removed=tuple(
            Gone(samples[each.row].name, splits[each.row], _why(each.bond, samples[each.because]), each.row)
            for each in removals(samples, straddling)
        ),
        notices=(*gathered.notices, *_unreadable(samples, looks), *_lopsided(samples)),
        covered=tuple(name for name in read_index().sources if name not in gathered.sources) if pictures else (),
    )


def _is_told_apart(bond: Bond, samples: Sequence[Sample], apart: Collection[frozenset[str]]) -> bool:
    """Tell whether the catalog knows that two pictures of ours that look alike show two people."""
    if bond.kind not in ("near-duplicate", "registered"):
        return False
    pairs = itertools.product(bond.first, bond.second)
    return any(frozenset((samples[one].name, samples[other].name)) in apart for one, other in pairs)


def _level(asked: Level | None, pictures: int, scheme: str | None) -> tuple[Level, str]:
    """Choose how thoroughly to look, and say why."""
    finds = "also cropped, turned, mirrored, inverted and framed copies"
    if asked == "thorough":
        return "thorough", f"as asked for; {pictures:,} pictures, {finds}"
    if asked == "quick":
        return "quick", f"as asked for; {pictures:,} pictures, whole copies alone"
    if not pictures:
        return "quick", "there is no picture to look at"
    if scheme is not None:
        return "quick", f"what its build saw, and what is published of it; --level thorough finds {finds}"
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


def _lopsided(samples: Sequence[Sample]) -> list[Notice]:
    """Say where nothing could leak into anything, and which classes some part has and another has not."""
    parts = list(dict.fromkeys(sample.split for sample in samples))
    if len(parts) == 1:
        return [Notice("one part alone", parts[0], "nothing can leak: all rows are in one part of the split")]
    there = {(sample.label, sample.split) for sample in samples}
    labels = sorted({sample.label for sample in samples if sample.label is not None})
    lacking = {label: [part for part in parts if (label, part) not in there] for label in labels}
    return [Notice("class not everywhere", label, f"no row in {', '.join(of)}") for label, of in lacking.items() if of]


def _shown(what: object) -> str:
    return repr(what) if isinstance(what, str | os.PathLike) else type(what).__name__
