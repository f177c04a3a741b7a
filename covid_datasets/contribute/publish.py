"""What is found once and published in the catalog: splits, and the ties between sources.

Splits go to ``catalogs/splits/``: groups whole, shares and strata as near to the aim as can be. Ties go to
``catalogs/identities/``.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from covid_datasets.catalog.published import SPLITS, published_splits
from covid_datasets.errors import NotThereError
from covid_datasets.load.splits import with_patients
from covid_datasets.prepare.find import find_build
from covid_datasets.splits.assign import SALT, SHARES, hash_fraction
from covid_datasets.splits.groups import Link, components
from covid_datasets.splits.index import Index

IDENTITIES_HEADER = "sample_id\ttie\tflag\tevidence\n"


def propose_splits(
    name: str,
    *,
    beside: Sequence[str] = (),
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> str:
    """Return the text of ``catalogs/splits/<id>.csv`` to publish for a finished build; published patients stay.

    People and pictures that the sources ``beside`` show too go where these are published, so that also those who load
    one source for training and another one for testing keep them apart.
    """
    built = with_patients(find_build(name, config, cache_dir=cache_dir))
    others = [with_patients(find_build(each, cache_dir=cache_dir)) for each in beside]
    index = Index.join([each.path for each in (built, *others)])
    published = {patient: split for each in (built, *others) for patient, split in published_splits(each.id).items()}
    proposed = place_groups(index, published)
    return as_csv({patient: split for patient, split in proposed.items() if patient.startswith(f"{built.id}/")})


def place_groups(index: Index, published: Mapping[str, str]) -> dict[str, str]:
    """Assign every patient of a build, or what stands for an unknown one, stratified by label and modality.

    Patients that are published already stay where they are, unless evidence joined them with others. The others
    are placed group by group, the largest first, where their stratum lacks most rows.
    """
    patients = index.units
    rows: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(index.groups):
        rows[group].append(row)
    strata = list(zip(index.strings("label"), index.strings("modality"), strict=True))
    stratum = {group: Counter(strata[row] for row in members).most_common(1)[0][0] for group, members in rows.items()}
    held: dict[object, Counter[str]] = defaultdict(Counter)
    total: Counter[object] = Counter()
    chosen: dict[int, str] = {}
    for group, members in rows.items():
        total[stratum[group]] += len(members)
        votes = {published[patients[row]] for row in members if patients[row] in published}
        if votes:
            chosen[group] = max(votes, key=SPLITS.index)
            held[stratum[group]][chosen[group]] += len(members)
    keys = {group: min(patients[row] for row in members) for group, members in rows.items()}
    order = sorted(rows, key=lambda group: (-len(rows[group]), hash_fraction(keys[group], SALT)))
    for group in order:
        if group not in chosen:
            have, aim = held[stratum[group]], total[stratum[group]]
            chosen[group] = max(SPLITS, key=lambda split: SHARES[split] * aim - have[split])
            have[chosen[group]] += len(rows[group])
    return {patients[row]: chosen[group] for group, members in rows.items() for row in members}


def as_csv(splits: Mapping[str, str]) -> str:
    """Write a published split file: ``patient_id,split`` with ids as the source gives them.

    >>> print(as_csv({"cohen/12": "train"}), end="")
    patient_id,split
    12,train
    """
    lines = [f"{patient.split('/', 1)[1]},{split}" for patient, split in sorted(splits.items())]
    return "\n".join(["patient_id,split", *lines]) + "\n"


def propose_ties(found: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    r"""Return, for each source, the lines to add to ``catalogs/identities/``, given the rows of `overlaps`.

    Pictures that are proven to be one share the tie ``picture:<the first of their samples>``. Pairs that have a tie
    already, and pairs of which only the name says so, get none.

    >>> row = {"first": "a/1.png", "second": "b/1.jpg", "kind": "same bytes", "proven": True, "evidence": "sha256 00"}
    >>> propose_ties([row])["b"]
    ['1.jpg\tpicture:a/1.png\t\tshows what a/1.png shows: same bytes (sha256 00)']
    """
    tied = {(row["first"], row["second"]) for row in found if row["kind"] == "tie"}
    evidence: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in found:
        if row["proven"] and (pair := (row["first"], row["second"])) not in tied:
            evidence[pair].append(f"{row['kind']} ({row['evidence']})")
    samples = sorted({sample for pair in evidence for sample in pair})
    place = {sample: number for number, sample in enumerate(samples)}
    groups = components(len(samples), [Link("tie", place[one], place[other], "") for one, other in evidence])
    lines: dict[str, set[str]] = defaultdict(set)
    for (first, second), why in sorted(evidence.items()):
        tie = f"picture:{samples[groups[place[first]]]}"
        for sample, other in ((first, second), (second, first)):
            source, name = sample.split("/", 1)
            lines[source].add(f"{name}\t{tie}\t\tshows what {other} shows: {'; '.join(sorted(why))}")
    return {source: sorted(added) for source, added in sorted(lines.items())}


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
