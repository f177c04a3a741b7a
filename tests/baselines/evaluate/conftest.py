"""Predictions of planted wards: of each row as good as a test wants them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import OwnData, load_splits
from tests.audits.conftest import as_png, by_container, ward

Ward = tuple[OwnData, Path]
Chance = Callable[[Mapping[str, Any]], float]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """Return a ward of 60 people, half of them ill, two pictures each, where nothing tells the label; and its cache."""
    folder = tmp_path_factory.mktemp("plain")
    return ward(folder / "ward", folder / "cache", as_png, people=60), folder / "cache"


@pytest.fixture(scope="session")
def confounded(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """Return one where the container tells the label."""
    folder = tmp_path_factory.mktemp("confounded")
    return ward(folder / "ward", folder / "cache", by_container, people=60), folder / "cache"


def noisy(seed: int, apart: float) -> Chance:
    """Return chances of being ill: of the ill they are so many deviations higher."""
    random = np.random.default_rng(seed)

    def chance(row: Mapping[str, Any]) -> float:
        score = random.normal() + apart * (row["label"] == "covid19")
        return float(1 / (1 + np.exp(-score)))

    return chance


def rows_of(of: Ward, scheme: str = "patient", split: str = "test") -> list[dict[str, Any]]:
    """Return the rows of a split."""
    own, cache = of
    return [row for row in load_splits(own, scheme, cache_dir=cache).to_pylist() if row["split"] == split]


def write(
    file: Path, rows: Iterable[Mapping[str, Any]], chance: Chance, negative: str = "no_finding", **columns: str
) -> Path:
    """Write predictions of rows; columns of the rows are added under the names that are given."""
    with file.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["sample_id", *columns, "p_covid19", f"p_{negative}"])
        for row in rows:
            ill = round(chance(row), 6)
            table.writerow([row["sample_id"], *(row[name] for name in columns.values()), ill, round(1 - ill, 6)])
    return file
