"""`splits_final.json` of nnU-Net from our groups: its own five folds are by case, and a patient has several cases."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence

from covid_datasets.catalog.cards import Name
from covid_datasets.errors import UsageError
from covid_datasets.load.splits import load_splits

FOLDS = 5
"""As many as nnU-Net trains."""
_UNFIT = re.compile(r"[^0-9A-Za-z.-]+")
_ENDING = re.compile(r"\.(nii|nii\.gz|mha|mhd|dcm|png|jpe?g)$", re.IGNORECASE)
Splits = list[dict[str, list[str]]]


def nnunet_splits(
    name: Name | Sequence[Name],
    scheme: str = "patient",
    *,
    folds: int = FOLDS,
    config: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Splits:
    """Divide all rows of a build but those of test into folds of whole groups, as nnU-Net reads them.

    Each fold has the cases that are learned from (``train``) and those that validate (``val``). Rows that ``scheme``
    puts into test are in none: their images belong into ``imagesTs``. Groups are those of ``fold-1-of-5``, so no
    patient is on both sides, nor in test and in a fold. How a case is called, `case_of` says.

    Raises:
        UsageError: ``folds`` is no number from 2 on, or fewer groups are there than folds.
        NotBuiltError: It is not built; the message has the command.

    >>> nnunet_splits("phantom", folds=1)
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: folds: expected a whole number from 2 on, found 1
    """
    if not isinstance(folds, int) or isinstance(folds, bool) or folds < 2:
        raise UsageError(f"folds: expected a whole number from 2 on, found {folds!r}")
    rows = load_splits(name, scheme, config=config, cache_dir=cache_dir).to_pylist()
    kept = {row["sample_id"] for row in rows if row["split"] not in (None, "test")}
    cases = {sample: case_of(sample) for sample in sorted(kept)}
    if doubled := [case for case, count in Counter(cases.values()).items() if count > 1]:
        raise UsageError(f"name: expected samples whose names stay different as cases, found {doubled[0]} twice")
    found: Splits = []
    for fold in range(1, folds + 1):
        of_fold = load_splits(name, f"fold-{fold}-of-{folds}", config=config, cache_dir=cache_dir).to_pylist()
        validating = {row["sample_id"] for row in of_fold if row["split"] == "test"} & kept
        if not validating or validating == kept:
            raise UsageError(f"folds: expected as many groups as folds outside of test, found too few for {folds}")
        train = [case for sample, case in cases.items() if sample not in validating]
        found.append({"train": train, "val": [cases[sample] for sample in sorted(validating)]})
    return found


def case_of(sample: str) -> str:
    """Name the case of a sample, as its image has to be called before ``_0000.nii.gz``.

    >>> case_of("covid19_ct_seg/coronacases_001.nii.gz"), case_of("cohen/1.CXR.d/a b")
    ('covid19_ct_seg-coronacases-001', 'cohen-1.CXR.d-a-b')
    """
    source, _, rest = sample.partition("/")
    return f"{source}-{_UNFIT.sub('-', _ENDING.sub('', rest)).strip('-')}"
