"""radiopaedia: the rID that joins two addresses, the credit that the licence asks for, and stacks of slices."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets import build_dataset, check
from covid_datasets.catalog.cards import load_card
from covid_datasets.prepare.quoted import patient_of
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from covid_datasets.splits.index import Index
from tests.builders.test_builders import build
from tests.sources import radiopaedia as source

ADDRESS = load_card("radiopaedia").patients.address


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    source.write(tmp_path / "cases")
    return tmp_path / "cases"


def of(cases: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("radiopaedia", RawTree.of_folder(cases))


def test_one_rid_under_two_addresses_is_one_group(cases: Path) -> None:
    built = build_dataset("radiopaedia", data_dir=cases, cache_dir=cases.parent / "cache", num_proc=1)
    index = Index.read(built.path)
    group = dict(zip(index.texts("patient_id"), index.groups, strict=True))
    assert group["radiopaedia/covid-19-pneumonia-29"] == group["radiopaedia/covid-19-pneumonia-29-again"]
    assert group["radiopaedia/covid-19-pneumonia-15"] != group["radiopaedia/covid-19-pneumonia-29"]


def test_a_case_without_a_credit_is_told(cases: Path) -> None:
    told = [notice.where for notice in of(cases)[1] if notice.kind == "credit missing"]
    assert told == ["case-lobar-pneumonia/case.txt"]


def test_stacks_are_series_and_enough_for_a_case(cases: Path) -> None:
    records, _ = of(cases)
    axial = [record for record in records.values() if (record.series or "").endswith("CT axial")]
    assert {record.sample_id.rpartition("/")[2]: record.part_index for record in axial} == {
        "1_jumbo.png": 0, "2_jumbo.png": 1, "3_jumbo.png": 2, "10_jumbo.png": 3, "20_jumbo.png": 4,
    }  # fmt: skip
    assert [record.sample_id.rpartition("/")[2] for record in axial if record.typical] == ["3_jumbo.png"]
    assert check("radiopaedia", cases).ok, "covid-19-pneumonia-29 has no picture beside its text"


def test_a_stack_that_lost_its_slices_is_missing(cases: Path) -> None:
    for path in (cases / "case-covid-19-pneumonia-29").rglob("*.png"):
        path.unlink()
    (cases / "case-covid-19-pneumonia-29/CT axial/notes.txt").write_bytes(b"x")
    assert any("case-covid-19-pneumonia-29/" in each for each in check("radiopaedia", cases).missing)


def test_what_a_page_says_of_its_case(cases: Path) -> None:
    record = of(cases)[0]["case-covid-19-pneumonia-15/covid-19-pneumonia-15-PA.jpg"]
    assert (record.patient, record.label, record.view, record.date) == (
        "covid-19-pneumonia-15",
        "covid19",
        "PA",
        "2020",
    )
    assert record.country == "Sweden"
    assert record.ties == ("rid:1000001",)
    assert record.source_row["certainty"] == "Diagnosis certain"


@pytest.mark.parametrize(
    ("url", "patient"),
    [
        ("https://radiopaedia.org/cases/covid-19-pneumonia-15?lang=us", "covid-19-pneumonia-15"),
        ("https://www.radiopaedia.org/cases/covid-19-pneumonia-15", "covid-19-pneumonia-15"),
        ("https://radiopaedia.org/articles/covid-19-4", None),
    ],
)
def test_addresses_of_pages(url: str, patient: str | None) -> None:
    assert patient_of(url, ADDRESS) == patient
