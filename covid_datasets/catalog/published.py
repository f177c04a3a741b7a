"""What is published in the catalog about samples and patients: their splits, and what is proven about who they are."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError, words_of

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

SPLITS_VERSION = 2
"""The published splits that the scheme ``patient`` means; version 1 stays loadable as ``patient@1``."""

SUMS = "SHA256SUMS"
"""The file of ``catalogs/splits/`` that says the SHA-256 of every published split; ``sha256sum -c`` checks it too."""

Identities = dict[str, tuple[tuple[str, ...], tuple[str, ...]]]
"""Sample id -> proven ties, flags."""


def published_splits(dataset: str, folder: Path | None = None, version: int = SPLITS_VERSION) -> dict[str, str]:
    """Read the published split of a dataset: full patient id -> split; empty where nothing is published.

    The current version is ``catalogs/splits/<dataset>.csv``, an older one ``catalogs/splits/patient@1/<dataset>.csv``.

    Raises:
        CatalogError: A line is none, a patient is in two lines, or the file is not the one that was published.
    """
    folder = folder or catalog_folder() / "splits"
    path = published_file(dataset, version, folder)
    if not path.exists():
        return {}
    _check_sum(path, folder)
    found: dict[str, str] = {}
    for number, row in _rows(path):
        if not row["patient_id"] or row["split"] not in SPLITS:
            expected = f"patient_id and a split, one of {', '.join(SPLITS)}"
            raise CatalogError(f"{path} line {number}: key 'split': expected {expected}, found {dict(row)}")
        patient = f"{dataset}/{row['patient_id']}"
        if patient in found:
            raise CatalogError(f"{path} line {number}: expected each patient once, found {row['patient_id']!r} again")
        found[patient] = row["split"]
    return found


def published_file(dataset: str, version: int = SPLITS_VERSION, folder: Path | None = None) -> Path:
    """Name the file in which the split of a dataset is published, whether there is one or not."""
    folder = folder or catalog_folder() / "splits"
    return (folder if version == SPLITS_VERSION else folder / f"patient@{version}") / f"{dataset}.csv"


def read_sums(folder: Path) -> dict[str, str]:
    """Read the published digests: name of a file in ``folder`` -> SHA-256; empty where there are none."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{folder / SUMS}: expected lines of SHA-256 and name, found: {words_of(error)}") from error
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _check_sum(path: Path, folder: Path) -> None:
    """Compare a file with its published digest; a source that was added in a checkout has none yet."""
    wanted = read_sums(folder).get(path.relative_to(folder).as_posix())
    if wanted is None:
        return
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CatalogError(f"{path}: expected the published split, found: {words_of(error)}") from error
    if wanted != found:
        raise CatalogError(
            f"{path}: expected the published split, with sha256 {wanted}, found {found}: the file was changed. "
            "Install covid_datasets anew; in a checkout, 'covid-datasets splits ID --publish .' adds new patients"
        )


def read_identities(dataset: str, folder: Path | None = None) -> Identities:
    """Read ``catalogs/identities/<dataset>.tsv``: sample id -> proven ties and flags, from outside of the source."""
    path = (folder or catalog_folder() / "identities") / f"{dataset}.tsv"
    if not path.exists():
        return {}
    ties: dict[str, list[str]] = defaultdict(list)
    flags: dict[str, list[str]] = defaultdict(list)
    for number, row in _rows(path, delimiter="\t", quoting=csv.QUOTE_NONE):
        if not row["sample_id"] or not (row["tie"] or row["flag"]):
            raise CatalogError(f"{path} line {number}: expected sample_id and a tie or a flag, found {dict(row)}")
        if row["tie"]:
            ties[row["sample_id"]].append(row["tie"])
        if row["flag"]:
            flags[row["sample_id"]].append(row["flag"])
    return {sample: (tuple(ties[sample]), tuple(flags[sample])) for sample in sorted({*ties, *flags})}


def _rows(path: Path, **form: Any) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the lines of a table of the catalog with their numbers; a cell that is not there is empty."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines, **form), start=2):
                yield number, defaultdict(str, {name: cell for name, cell in row.items() if name and cell})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogError(f"{path}: expected a table in UTF-8, found: {error}") from error
