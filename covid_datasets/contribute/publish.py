"""What is found once and published in the catalog: splits, and the ties between sources.

Splits go to ``catalogs/splits/``: groups whole, splits alike, shares as near to the aim as can be. Ties go to
``catalogs/identities/``.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from covid_datasets.catalog.cards import names_in
from covid_datasets.catalog.own import PREFIX
from covid_datasets.catalog.published import SPLITS, SUMS, published_splits
from covid_datasets.errors import NotThereError, UsageError
from covid_datasets.load.splits import with_patients
from covid_datasets.prepare.find import find_build
from covid_datasets.splits.assign import SALT, SHARES, is_everybody, vote
from covid_datasets.splits.groups import Link, components
from covid_datasets.splits.index import Index
from covid_datasets.splits.place import place

IDENTITIES_HEADER = "sample_id\ttie\tflag\tevidence\n"


class Gained(NamedTuple):
    """What a published file gained: patients that are new in it, and those who moved."""

    added: int
    moved: int


def propose_splits(
    name: str,
    *,
    beside: Sequence[str] = (),
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> str:
    """Return the text of ``catalogs/splits/<id>.csv`` to publish for a finished build; published patients stay.

    Pass as ``beside`` the other versions of the source and all sources that may show the same people or pictures: who
    is there too goes where they are published, and what is not published yet is placed jointly. So also those who load
    one source for training and another one for testing keep people apart. Every order of the names gives the same.
    """
    builds = [with_patients(find_build(name, config, cache_dir=cache_dir))]
    builds += [with_patients(find_build(each, cache_dir=cache_dir)) for each in names_in(beside)]
    published = {each.id: published_splits(each.id) for each in builds}
    everyone = {patient: split for splits in published.values() for patient, split in splits.items()}
    index = Index.join([each.path for each in builds])
    sources = [f"{each.id}@{each.version}" for each in builds for _ in range(Index.read(each.path).table.num_rows)]
    ours = {
        patient: split
        for patient, split in place_groups(index, everyone, sources).items()
        if patient.startswith(f"{builds[0].id}/")
    }
    return as_csv(ours, published[builds[0].id])


def publish_splits(
    names: Sequence[str],
    checkout: str | Path,
    *,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> dict[Path, Gained]:
    """Place all patients of some finished builds jointly, and publish whom no file has in a checkout of this project.

    Name all sources that may show the same people, and all versions, at once. Who is published keeps the line; others
    follow at the end, so doing it again changes nothing. The digests beside the files are written anew.

    Returns:
        Each file, with how many patients it gained, and how many moved because evidence joined them to others.
    """
    folder = Path(checkout) / "catalogs" / "splits"
    if not folder.is_dir():
        raise NotThereError(f"{folder}: expected a checkout of covid_datasets, found no such folder; name its root")
    builds = [with_patients(find_build(each, config, cache_dir=cache_dir)) for each in names_in(names)]
    if own := [each.id for each in builds if each.id.startswith(PREFIX)]:
        raise UsageError(f"{', '.join(own)}: expected sources of the catalog, found data of your own")
    published = {each.id: published_splits(each.id, folder) for each in builds}
    everyone = {patient: split for splits in published.values() for patient, split in splits.items()}
    index = Index.join([each.path for each in builds])
    sources = [f"{each.id}@{each.version}" for each in builds for _ in range(each.rows)]
    placed = place_groups(index, everyone, sources)
    gained = {}
    for source in sorted(published):
        ours = {patient: split for patient, split in placed.items() if patient.startswith(f"{source}/")}
        path = folder / f"{source}.csv"
        path.write_text(as_csv(ours, published[source]), encoding="utf-8", newline="")
        moved = sum(published[source].get(patient, split) != split for patient, split in ours.items())
        gained[path] = Gained(len(ours.keys() - published[source].keys()), moved)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.csv"))
    sums = "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in files)
    (folder / SUMS).write_text(sums, encoding="utf-8", newline="")
    return gained


def place_groups(index: Index, published: Mapping[str, str], sources: Sequence[str] | None = None) -> dict[str, str]:
    """Assign every patient, or what stands for an unknown one: each of the ``sources`` near the shares by itself.

    Patients that are published already stay where they are, unless evidence joined them with others. Rows of whom
    nobody knows anything keep nobody in train who is known: they go where that one goes. Where that is not train, their
    tie to that one is placed as well, so that they go there also where their source is loaded alone.
    """
    groups = dict.fromkeys(zip(index.group_ids, index.units, strict=True))
    known = [(key, unit) for key, unit in groups if not is_everybody(unit)]
    fixed: dict[str, int] = {}
    for key, unit in known:
        if split := vote(unit, published):
            fixed[key] = max(fixed.get(key, 0), SPLITS.index(split))
    shares = [round(10 * SHARES[split]) for split in SPLITS]
    parts = place(index.census(sources).without(is_everybody), shares, SALT, fixed)
    placed: dict[str, str] = {unit: SPLITS[parts[key]] for key, unit in known}
    for key, unit, ties in zip(index.group_ids, index.units, index.ties, strict=True):
        if is_everybody(unit) and parts.get(key) and (tie := min(filter(_is_of_catalog, ties), default=None)):
            placed[f"{unit.removesuffix('*')}{tie}"] = SPLITS[parts[key]]
    return placed | dict.fromkeys((unit for _, unit in groups if is_everybody(unit)), SPLITS[0])


def _is_of_catalog(tie: str) -> bool:
    """Tell whether a tie is to a picture, which the catalog knows: each build of the source has it, alone too."""
    return tie.startswith("picture:")


def as_csv(splits: Mapping[str, str], published: Mapping[str, str] = MappingProxyType({})) -> str:
    """Write a published split file: ``patient_id,split`` with ids as the source gives them.

    Who is published already keeps the line; others follow. Of two splits of one patient the new one counts: what joined
    the patient with others was found since.

    >>> print(as_csv({"cohen/12": "train"}, {"cohen/7": "test"}), end="")
    patient_id,split
    7,test
    12,train
    """
    order = [*published, *sorted(splits.keys() - published.keys())]
    lines = [f"{patient.split('/', 1)[1]},{splits.get(patient) or published[patient]}" for patient in order]
    return "\n".join(["patient_id,split", *lines]) + "\n"


def propose_ties(found: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    r"""Return, for each source, the lines to add to ``catalogs/identities/``, given the rows of `overlaps`.

    Pictures that are proven to be one share the tie ``picture:<the first of their samples>``. Pairs that have a tie
    already, and pairs of which only the name says so, get none. Of those that only a thorough search found, as many
    pairs get one as are needed so that all are joined; what is in one group anyway gains nothing by a tie.

    >>> row = {"first": "a/1.png", "second": "b/1.jpg", "kind": "same bytes", "proven": True, "evidence": "sha256 00"}
    >>> propose_ties([row])["b"]
    ['1.jpg\tpicture:a/1.png\t\tshows what a/1.png shows: same bytes (sha256 00)']
    """
    tied = {(row["first"], row["second"]) for row in found if row["kind"] == "tie"}
    together = {(row["first"], row["second"]) for row in found if row.get("together")}
    evidence: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in found:
        if row["proven"] and (pair := (row["first"], row["second"])) not in tied:
            evidence[pair].append(f"{row['kind']} ({row['evidence']})")
    thorough = {pair for pair, why in evidence.items() if all(each.startswith("registered (") for each in why)}
    for pair in _superfluous(thorough, together | tied | (evidence.keys() - thorough)):
        del evidence[pair]
    samples = sorted({sample for pair in evidence for sample in pair})
    place = {sample: number for number, sample in enumerate(samples)}
    groups = components(len(samples), [Link("tie", place[one], place[other], "") for one, other in evidence])
    lines: dict[str, set[str]] = defaultdict(set)
    for (first, second), why in sorted(evidence.items()):
        tie = f"picture:{samples[groups[place[first]]]}"
        for sample, other in ((first, second), (second, first)):
            source, name = sample.split("/", 1)
            how = _how(first, second) if (first, second) in thorough else ""
            said = f"shows what {other} shows: {'; '.join(sorted(why))}{how}"
            lines[source].add(f"{name}\t{tie}\t\t{said}")
    return {source: sorted(added) for source, added in sorted(lines.items())}


def _how(first: str, second: str) -> str:
    """Say how a pair that only a thorough search found is seen again."""
    sources = dict.fromkeys(sample.split("/", 1)[0] for sample in (first, second))
    return f"; covid-datasets overlaps {' '.join(sources)} --thorough"


def _superfluous(pairs: Set[tuple[str, str]], joined: Set[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the pairs that are joined by others, in whatever steps."""
    parent: dict[str, str] = {}

    def root(sample: str) -> str:
        while (above := parent.get(sample, sample)) != sample:
            parent[sample] = parent.get(above, above)
            sample = above
        return sample

    for first, second in joined:
        parent[root(first)] = root(second)
    for first, second in sorted(pairs):
        if root(first) == root(second):
            yield first, second
        parent[root(first)] = root(second)


def publish_ties(found: Sequence[Mapping[str, Any]], checkout: str | Path) -> dict[Path, int]:
    """Add proposed ties to the files of a checkout of this project; returns how many lines each file gained.

    A sample that has a tie keeps its line and its evidence, so doing it again changes nothing.
    """
    folder = Path(checkout) / "catalogs" / "identities"
    if not folder.is_dir():
        raise NotThereError(f"{folder}: expected a checkout of covid_datasets, found no such folder; name its root")
    gained = {}
    for source, proposed in propose_ties(found).items():
        path = folder / f"{source}.tsv"
        lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
        known = {tuple(line.split("\t")[:2]) for line in lines}
        added = [line for line in proposed if tuple(line.split("\t")[:2]) not in known]
        text = IDENTITIES_HEADER + "".join(f"{line}\n" for line in sorted([*lines, *added]))
        path.write_text(text, encoding="utf-8", newline="")
        gained[path] = len(added)
    return gained
