"""Propose a split to publish in ``catalogs/splits/``: groups whole, shares and strata as near to the aim as can be."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from covid_datasets.splits.assign import SALT, SHARES, SPLITS, hash_fraction
from covid_datasets.splits.index import Index


def propose_splits(index: Index, published: Mapping[str, str]) -> dict[str, str]:
    """Assign every patient of a build, stratified by label and modality.

    Patients that are published already stay where they are, unless evidence joined them with others. The others
    are placed group by group, the largest first, where their stratum lacks most rows.
    """
    patients = index.texts("patient_id")
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
