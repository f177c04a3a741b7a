"""eurorad: cases of several people, credits of single figures, and addresses that join cohen."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card
from covid_datasets.prepare.quoted import patient_of, quoted_ties
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import build
from tests.sources import eurorad as source

ADDRESS = load_card("eurorad").patients.address


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    source.write(tmp_path / "cases")
    return tmp_path / "cases"


def of(cases: Path) -> tuple[dict[str, Record], list[Notice]]:
    return build("eurorad", RawTree.of_folder(cases))


def test_a_case_of_several_people_is_a_group_and_nobody(cases: Path) -> None:
    records, notices = of(cases)
    for case, why in (("16745", "the card knows it"), ("12345", "its text says so")):
        rows = [record for path, record in records.items() if path.startswith(f"case-{case}/")]
        assert len(rows) == 2
        assert {(row.patient, row.ties, row.flags) for row in rows} == {
            (None, (f"case:{case}",), ("one_of_several_people",))
        }, why
    told = {notice.where for notice in notices if notice.kind == "case of several people"}
    assert told == {"case-16745/case.txt", "case-12345/case.txt"}


def test_the_credit_of_a_figure_is_its_own(cases: Path) -> None:
    records, _ = of(cases)
    credits = {path: record.source_row.get("credit") for path, record in records.items() if "16663" in path}
    assert credits.pop("case-16663/16663_1_2_LL.jpg") == "Department of Pathology, Berlin, 2020"
    assert set(credits.values()) == {"Department of Radiology, Berlin, 2020"}
    assert records["case-16663/16663_1_1_PA.jpg"].caption == source.TEXT.strip()
    assert not [name for record in records.values() for name in record.source_row if name.startswith("credit ")]


def test_slices_of_a_stack_are_in_order_and_one_stands_for_all(cases: Path) -> None:
    records, _ = of(cases)
    stack = sorted((r for r in records.values() if r.series), key=lambda record: record.part_index or 0)
    assert [Path(record.sample_id).stem for record in stack] == ["1", "2", "9", "10", "11"]
    assert [record.typical for record in stack] == [False, False, True, False, False]
    assert {(record.series, record.modality) for record in stack} == {("case-16663/CT-1", "CT")}


def test_a_diagnosis_that_no_class_has_is_told_and_kept(cases: Path) -> None:
    record = of(cases)[0]["case-934/000001.jpg"]
    assert (record.label, record.label_raw) == (None, "Wegener's granulomatosis of the lung")
    assert record.flags == ("unknown_finding",)


def test_without_a_line_url_the_address_is_the_number_s(cases: Path) -> None:
    records, notices = of(cases)
    assert records["case-947/000001.jpg"].source_url == "https://www.eurorad.org/case/947"
    other = [notice.where for notice in notices if notice.kind == "url of another case"]
    assert other == ["case-10483/case.txt"]


@pytest.mark.parametrize(
    ("url", "patient"),
    [
        ("https://www.eurorad.org/case/16745", "16745"),
        ("https://eurorad.org/case/0934?x=1", "934"),
        ("https://www.eurorad.org/case/16689", None),
        ("https://www.eurorad.org/case/166890", "166890"),
        ("https://www.eurorad.org/advanced-search?search=case/3", None),
    ],
)
def test_addresses_of_pages(url: str, patient: str | None) -> None:
    assert patient_of(url, ADDRESS) == patient


def test_rows_of_cohen_that_quote_a_page_are_tied_to_it(cases: Path) -> None:
    page = of(cases)[0]["case-16663/16663_1_1_PA.jpg"]
    copied = Record(sample_id="16663_1_1.jpg", patient="177", source_url="https://www.eurorad.org/case/16663")
    addresses = {"eurorad": ADDRESS}
    assert quoted_ties("eurorad", page, addresses) == quoted_ties("cohen", copied, addresses) == ("case:eurorad/16663",)
