"""Sources loaded one by one: does any picture of one's train set stand in another one's validation or test set?

    python -m benchmarks.alone_splits cohen hannover covid19_radiography chest_xray_pneumonia

All pairs that `overlaps` proves are held against the default splits of each source alone; the sources are built. Not a
time.
"""

from __future__ import annotations

import argparse
from collections import Counter

from covid_datasets import load_splits, overlaps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", metavar="ID", nargs="+", help="sources that are built")
    names = parser.parse_args().ids
    splits = {row["sample_id"]: row["split"] for name in names for row in load_splits(name).to_pylist()}
    pairs: Counter[tuple[str, ...]] = Counter()
    torn: Counter[tuple[str, ...]] = Counter()
    for row in overlaps(names).to_pylist():
        if not row["proven"]:
            continue
        samples = (row["first"], row["second"])
        sources = tuple(sorted(sample.partition("/")[0] for sample in samples))
        pairs[sources] += 1
        if splits[samples[0]] != splits[samples[1]]:
            torn[sources] += 1
            print(", ".join(f"{sample} in {splits[sample]}" for sample in samples) + f": {row['evidence']}")
    for sources, count in sorted(pairs.items()):
        print(f"{' and '.join(sources):<60}{count:>8,} pairs, {torn[sources]:>4} in different splits")


if __name__ == "__main__":
    main()
