"""A million rows in 200,000 groups: the seconds of CPU that each scheme takes to give every row its split.

Groups are of all sizes (geometric, five rows in the mean), of four labels, two of them rare, and a tenth has two.
There are no pictures to compare, because that is the finder's time (`joint_splits.py`); a list of two sources shares a
person in every thousand groups.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter

import numpy as np
import pyarrow as pa

from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import divide

LABELS = ["covid19", "no_finding", "sars", "ards"]
SCHEMES = ("patient", "fold-1-of-5", "fold-1-of-10(seed=1)", "patient(70/15/15)", "patient(70/15/15, seed=3)")


def table_of(source: str, groups: int, chance: np.random.Generator) -> pa.Table:
    """Write the index of a build as its finish does, but for pictures."""
    sizes = chance.geometric(0.2, groups)
    member = np.repeat(np.arange(groups), sizes)
    count = len(member)
    label = chance.choice(4, groups, p=[0.6, 0.37, 0.02, 0.01])[member]
    other = (chance.random(groups) < 0.1)[member] & (chance.random(count) < 0.5)
    label = np.where(other, 1, label)
    patients = [f"{source}/{number:07d}" for number in member]
    samples = [f"{patient}-{row}" for row, patient in enumerate(patients)]
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])[member]
    ties = [[f"person:x/{number}"] if number % 1000 == 0 else [] for number in member]
    survival = chance.choice(np.asarray([None, None, None, True, False]), groups)[member]
    known = {
        "row": range(count), "sample_id": samples, "patient_id": patients, "patient_known": [True] * count,
        "ties": ties, "label": [LABELS[number] for number in label], "modality": ["CXR"] * count,
        "survival": survival, "blank": [False] * count, "sha256": samples, "pixel_hash": samples,
    }  # fmt: skip
    table = pa.table([pa.array(known.get(f.name, [None] * count), f.type) for f in INDEX_SCHEMA], schema=INDEX_SCHEMA)
    table = table.append_column("group", pa.array([samples[first] for first in firsts]))
    return table.append_column("group_id", pa.array(patients))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=200_000)
    parser.add_argument("--schemes", nargs="+", default=SCHEMES)
    arguments = parser.parse_args()
    chance = np.random.default_rng(0)
    one = table_of("a", arguments.groups, chance)
    two = [table_of(source, arguments.groups // 2, chance) for source in "ab"]
    print(f"{one.num_rows:,} rows, {arguments.groups:,} groups; load of the machine {os.getloadavg()[0]:.1f}")
    for what, tables in (("one build", [one]), ("a list of two", two)):
        for scheme in (*arguments.schemes, *(["leave-b-out"] if len(tables) > 1 else [])):
            index = Index(pa.concat_tables(tables), tuple(map(len, tables)))
            used = time.process_time()
            splits = divide(index, list("ab")[: len(tables)], scheme).splits
            spent = time.process_time() - used
            counts = Counter(splits)
            labels = Counter(zip(splits, index.strings("label"), strict=True))
            worst = max(
                abs(labels[split, label] / counts[split] - sum(labels[each, label] for each in counts) / len(splits))
                for split in counts
                for label in LABELS
            )
            shares = ", ".join(f"{split} {count / len(splits):.4f}" for split, count in sorted(counts.items(), key=str))
            print(f"  {what}, {scheme}: {spent:.2f} s of CPU (aim 5 s); {shares}; labels {worst:.4f} off at most")


if __name__ == "__main__":
    main()
