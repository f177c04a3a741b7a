"""What docs/confounding.md says of COVID-CT, on its real files."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from covid_datasets import build_dataset, confounding, find_build
from covid_datasets.audits.traits.auc import Pairs
from covid_datasets.audits.traits.heads import head_of
from covid_datasets.audits.traits.report import ALL
from covid_datasets.audits.traits.rows import Rows

pytest.importorskip("sklearn")
REAL = Path(os.environ.get("COVID_DATASETS_TEST_REAL", "/nonexistent"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (REAL / "covid_ct").is_dir(), reason="no COVID_DATASETS_TEST_REAL"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    build_dataset("covid_ct", data_dir=REAL / "covid_ct", cache_dir=folder, num_proc=1)
    return folder


def reached(cache: Path, *traits: str) -> dict[str, float | None]:
    found = confounding("covid_ct", traits=traits, pixels=False, cache_dir=cache)
    return {each.scheme: each.auc for each in found.found if each.trait == ALL}


def test_mode_and_container_reach_what_the_guide_says(cache: Path) -> None:
    assert reached(cache, "container", "mode") == pytest.approx({"5 folds": 0.846, "official": 0.883}, abs=0.01)
    assert reached(cache, "header") == pytest.approx({"5 folds": 0.98, "official": 0.99}, abs=0.015)
    assert reached(cache, "container", "mode", "size", "compression")["5 folds"] == pytest.approx(0.97, abs=0.015)


def test_no_order_of_their_kinds_is_right_more_often(cache: Path) -> None:
    """Sorted by how many of a kind are ill, in the rows themselves, is the best that any model could do."""
    built = find_build("covid_ct", cache_dir=cache)
    rows = Rows([built], np.arange(built.rows))
    modes, labels = (rows.table.column(name).to_pylist() for name in ("pixel_mode", "label"))
    files = [rows.file(row) for row in range(built.rows)]
    kinds = [(head_of(file.data).container if file else None, mode) for file, mode in zip(files, modes, strict=True)]
    ill = np.asarray(labels) == labels[labels.index(1)]
    counts, of_ill = Counter(kinds), Counter(kind for kind, each in zip(kinds, ill.tolist(), strict=True) if each)
    assert len(counts) == 5
    best = np.asarray([of_ill[kind] / counts[kind] for kind in kinds])
    assert Pairs.of(best, ill, np.zeros(len(best))).auc(np.ones(len(best))) == pytest.approx(0.846, abs=0.0005)
