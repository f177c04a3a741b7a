"""What no licence is known to permit stays on this machine, unless its user says that it may go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets.errors import UsageError
from covid_datasets.exports.export import export
from tests.small import SmallSources

OUT = "memory://bucket/out"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def load(small: SmallSources) -> Any:
    def load(*names: str, **options: Any) -> Any:
        for name in names:
            small.build(name)
        copy: Any = {"data_dir": small.tree(names[0])} if len(names) == 1 else {}
        return covid_datasets.load_dataset(
            list(names), cache_dir=small.cache, split="all", allow_missing=True, **copy, **options
        )

    return load


def refused(data: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        export(data, "parquet", OUT)
    assert "i_have_the_rights=True" in str(told.value)


@pytest.mark.parametrize("framework", ["hf", "numpy"])
def test_a_licence_that_forbids_it(framework: str, load: Any, tmp_path: Path, bucket: Any) -> None:
    rows = load("covid_ct", framework=framework)
    refused(rows, "covid_ct, whose licence forbids it")
    assert not bucket.find("/bucket")
    export(rows, "parquet", tmp_path / "out")  # a folder of one's own is nobody else's business
    export(rows, "parquet", OUT, i_have_the_rights=True)


def test_of_several_sources_the_strictest_counts(load: Any) -> None:
    refused(load("hannover", "covid_ct"), "covid_ct, whose licence forbids it")


def test_rows_with_licences_of_their_own(load: Any) -> None:
    refused(load("cohen"), "rows whose own licence does not permit it")
    export(load("cohen", license="redistribution"), "parquet", OUT)


def test_rows_that_hide_their_licences(load: Any) -> None:
    refused(load("cohen", columns=["image", "label"]), "without the column license")
    refused(load("cohen").map(lambda row: {"license": ""}), "without a licence")


def test_rows_of_unknown_origin() -> None:
    from datasets import Dataset

    refused(Dataset.from_dict({"label": [1, 2]}), "do not tell which source")


def test_rows_that_lost_the_word_of_their_build_are_known_by_their_column(load: Any) -> None:
    from datasets import Dataset

    rows = Dataset(load("covid_ct").data.table.select(["dataset", "label"]))
    refused(rows, "covid_ct, whose licence forbids it")


def test_data_of_ones_own(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "ward" / "covid").mkdir(parents=True)
    Image.effect_noise((64, 64), 30).save(tmp_path / "ward" / "covid" / "1.png")
    refused(covid_datasets.load_dataset(tmp_path / "ward", split="all"), "own.ward, of which no card states a licence")


def test_what_may_go_goes(load: Any, bucket: Any) -> None:
    export(load("hannover"), "parquet", OUT)
    assert "hannover" in bucket.cat_file("/bucket/out/README.md").decode()
