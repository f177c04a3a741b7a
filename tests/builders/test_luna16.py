"""LUNA16: pairs of header and voxels, their folds, and headers that point elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from covid_datasets import build_dataset, load_dataset
from covid_datasets.load.splits import audit_build
from covid_datasets.load.stored import open_table
from tests.metaimage import mha
from tests.small import SmallSources
from tests.sources import luna16 as source

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
SHOWN = source.PREFIX + source.ALONE


def built_of(small: SmallSources, tree: Path, config: str) -> tuple[set[str], dict[str, str]]:
    """Build a tree; return the series that are in it, and what is told by where."""
    with small.in_use():
        built = build_dataset(
            "luna16", config, data_dir=tree, cache_dir=tree.parent / config, num_proc=1, allow_missing=True
        )
    rows = open_table(built).column("sample_id").to_pylist()
    told = {note["where"]: note["what"] for note in built.manifest()["notices"]}
    return {sample.split("/")[1] for sample in rows}, told


@pytest.fixture
def tree(small: SmallSources, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small.tree("luna16"), tmp_path / "tree"))


def test_folds_are_those_of_the_challenge_and_their_audit_tells_of_one_person(small: SmallSources) -> None:
    built = small.build("luna16")
    report = audit_build(built, "official")
    assert set(report.rows) == {f"subset{number}" for number in range(10)}
    assert report.leaks
    assert "luna16/LIDC-IDRI-0132" in str(report)
    assert not audit_build(built, "patient").leaks


def test_volumes_are_the_same_numbers_as_the_files(small: SmallSources) -> None:
    pytest.importorskip("datasets")
    small.build("luna16")
    rows = load_dataset("luna16", split="all", cache_dir=small.cache, allow_missing=True)
    assert len(rows) == 11
    for row in rows:
        uid = row["sample_id"].rpartition(".")[2]
        assert np.array_equal(np.asarray(row["volume"].dataobj).T, source.volume(uid))


@pytest.mark.parametrize("config", ["volumes", "slices"])
@pytest.mark.parametrize(
    ("data_file", "said"),
    [
        ("../subset1/other.raw", {}),
        ("/etc/passwd", {}),
        ("LIST", {}),
        (f"{SHOWN}.raw", {"DimSize": "48 48 60"}),
        (f"{SHOWN}.raw", {"ElementType": "MET_DOUBLE"}),
        (f"{SHOWN}.raw", {"CompressedData": True}),
        (f"{SHOWN}.raw", {"HeaderSize": 10**9}),
    ],
)
def test_a_header_that_lies_is_dropped_and_told(
    data_file: str, said: dict[str, Any], config: str, small: SmallSources, tree: Path
) -> None:
    path = tree / "subset0" / f"{SHOWN}.mhd"
    path.write_bytes(mha(source.volume(source.ALONE), packed=False, data_file=data_file, **said))
    found, told = built_of(small, tree, config)
    assert SHOWN not in found
    assert len(found) == 10
    assert any(SHOWN in where for where in told)


@pytest.mark.parametrize("config", ["volumes", "slices"])
def test_half_a_pair_is_told(config: str, small: SmallSources, tree: Path) -> None:
    (tree / "subset0" / f"{SHOWN}.raw").unlink()
    other = source.PREFIX + source.TWICE[1]
    (tree / "subset3" / f"{other}.mhd").unlink()
    found, told = built_of(small, tree, config)
    assert not found & {SHOWN, other}
    assert told[f"subset3/{other}.raw"] == "no .mhd lies beside it"
    assert any(f"{SHOWN}.raw is not there" in what for where, what in told.items() if SHOWN in where)
