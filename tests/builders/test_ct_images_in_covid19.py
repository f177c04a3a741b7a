"""CT Images in COVID-19: the names of all 771 files are known, and what they say of people."""

from __future__ import annotations

import shutil
from pathlib import Path

from covid_datasets.builders import ct_images_in_covid19 as builder

from covid_datasets.catalog.cards import load_card
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.nifti import nifti
from tests.sources import ct_images_in_covid19 as source


def enumerated(folder: Path, *, slices: bool = False) -> tuple[dict[str, Record], list[Notice]]:
    items = list(builder.records(RawTree.of_folder(folder, options={"slices": slices})))
    records = {item.sample_id: item for item in items if isinstance(item, Record)}
    return records, [item for item in items if isinstance(item, Notice)]


def test_every_file_of_the_collection_is_expected(tmp_path: Path) -> None:
    """Counts of the card: 632 people with 650 files, and 29 with 121."""
    records, notices = enumerated(tmp_path)
    assert notices == []
    serial = [record for record in records.values() if "day" in record.source_row]
    assert (len(records), len(serial)) == (771, 121)
    assert (
        len({record.patient for record in records.values()})
        == 661
        == load_card("ct_images_in_covid19").version()[1].patients
    )
    assert {record.patient for record in serial if record.source_row["day"] == "000"} == {
        each.patient for each in serial
    }
    assert records["0171_0"].source_row == {"number": "0171", "scan": "0"}


def test_other_names_and_unpacked_files(tmp_path: Path) -> None:
    source.write_unpacked(tmp_path)
    packed = tmp_path / "volume-covid19-A-0003.nii.gz"
    (tmp_path / "volume-covid19-A-0003.nii").write_bytes(nifti(source.volume("0003"), packed=False))
    shutil.copy(packed, tmp_path / "volume-covid19-A-0024.nii.gz")
    shutil.copy(packed, tmp_path / "volume-covid19-A-0003_ct.nii.gz")
    records, notices = enumerated(tmp_path, slices=True)
    assert len(records) == 772
    assert records["0003"].image is not None
    assert records["0003"].image.path == packed.name
    assert {(note.kind, note.where[17:], note.dropped) for note in notices} == {
        ("file twice", "0003.nii", True),
        ("file not in the list", "0024.nii.gz", False),
        ("extra file", "0003_ct.nii.gz", True),
    }
