"""Whatever holds a split: a planted leak is found in it, and none where none is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from covid_datasets import audit
from covid_datasets.audits.report import Audit
from tests.audits.cohort import (
    LEAKS,
    Leak,
    Shot,
    cohort,
    rows_of,
    write_csv,
    write_dicom,
    write_files,
    write_shards,
    write_volumes,
)

Given = tuple[Any, dict[str, Any]]


def folder_and_csv(place: Path, shots: list[Shot]) -> Given:
    return write_files(place / "pictures", shots), {"split": write_csv(place / "my.csv", shots)}


def folder_and_rows(place: Path, shots: list[Shot]) -> Given:
    return str(write_files(place / "pictures", shots)), {"split": rows_of(shots)}


def folder_and_frame(place: Path, shots: list[Shot]) -> Given:
    pandas = pytest.importorskip("pandas")
    return write_files(place / "pictures", shots), {"split": pandas.DataFrame(rows_of(shots))}


def folder_and_parquet(place: Path, shots: list[Shot]) -> Given:
    pq.write_table(pa.Table.from_pylist(rows_of(shots)), place / "my.parquet")
    return write_files(place / "pictures", shots), {"split": place / "my.parquet"}


def folder_and_hashes(place: Path, shots: list[Shot]) -> Given:
    rows = [
        {"sha256": hashlib.sha256(s.encoded()).hexdigest().upper(), "set": s.split, "case": s.patient} for s in shots
    ]
    return write_files(place / "pictures", shots), {"split": rows}


def table_beside_pictures(place: Path, shots: list[Shot]) -> Given:
    write_files(place, shots)
    return write_csv(place / "my.csv", shots), {}


def image_folder(place: Path, shots: list[Shot]) -> Given:
    return write_files(place, shots, lambda s: f"{s.split}/{s.label}/{s.name}"), {}


def image_folder_by_label(place: Path, shots: list[Shot]) -> Given:
    return write_files(place, shots, lambda s: f"{s.label}/{s.split}/{s.name}"), {}


def image_folder_without_labels(place: Path, shots: list[Shot]) -> Given:
    return write_files(place, shots, lambda s: f"{s.split}/{s.name}"), {}


def folder_for_each_part(place: Path, shots: list[Shot]) -> Given:
    write_files(place, shots, lambda s: f"{s.split}/{s.label}/{s.name}")
    return {"train": place / "train", "test": str(place / "test")}, {}


def list_of_folders(place: Path, shots: list[Shot]) -> Given:
    write_files(place, shots, lambda s: f"{s.split}/{s.name}")
    return [str(place / "train"), str(place / "test")], {}


def hugging_face(place: Path, shots: list[Shot]) -> Given:
    datasets = pytest.importorskip("datasets")
    labels = datasets.ClassLabel(names=["a", "b"])
    features = datasets.Features(
        image=datasets.Image(), label=labels, patient_id=datasets.Value("string"), file_name=datasets.Value("string")
    )
    parts = {}
    for split in ("train", "test"):
        own = [shot for shot in shots if shot.split == split]
        columns = {
            "image": [{"bytes": shot.encoded(), "path": None} for shot in own],
            "label": [shot.label for shot in own],
            "patient_id": [shot.patient for shot in own],
            "file_name": [shot.name for shot in own],
        }
        parts[split] = datasets.Dataset.from_dict(columns, features=features)
    return datasets.DatasetDict(parts), {}


def hugging_face_saved(place: Path, shots: list[Shot]) -> Given:
    what, _ = hugging_face(place, shots)
    what.save_to_disk(place / "saved")
    return place / "saved", {}


def hugging_face_with_a_column(place: Path, shots: list[Shot]) -> Given:
    datasets = pytest.importorskip("datasets")
    what, _ = hugging_face(place, shots)
    parts = [part.add_column("split", [name] * len(part)) for name, part in what.items()]
    return datasets.concatenate_datasets(parts), {}


def hugging_face_with_a_table(place: Path, shots: list[Shot]) -> Given:
    datasets = pytest.importorskip("datasets")
    what, _ = hugging_face(place, shots)
    return datasets.concatenate_datasets(list(what.values())), {"split": write_csv(place / "my.csv", shots)}


def webdataset(place: Path, shots: list[Shot]) -> Given:
    return write_shards(place / "shards", shots), {}


def webdataset_with_a_table(place: Path, shots: list[Shot]) -> Given:
    folder = write_shards(place / "shards", shots)
    for number, tar in enumerate(sorted(folder.glob("*.tar"))):
        tar.rename(folder / f"{number:03}.tar")
    return str(folder / "{000..001}.tar"), {"split": write_csv(place / "my.csv", shots)}


def dicom_files(place: Path, shots: list[Shot]) -> Given:
    folder = write_dicom(place / "films", shots)
    return [str(path) for path in sorted(folder.rglob("*.dcm"))], {}


def dicom_folder(place: Path, shots: list[Shot]) -> Given:
    return write_dicom(place / "films", shots), {}


PLAIN: list[Callable[[Path, list[Shot]], Given]] = [
    folder_and_csv,
    folder_and_rows,
    folder_and_frame,
    folder_and_parquet,
    folder_and_hashes,
    table_beside_pictures,
    hugging_face,
    hugging_face_saved,
    hugging_face_with_a_column,
    hugging_face_with_a_table,
    webdataset,
    webdataset_with_a_table,
]
WITHOUT_PATIENTS = [
    image_folder,
    image_folder_by_label,
    image_folder_without_labels,
    folder_for_each_part,
    list_of_folders,
]


def expect(report: Audit, leak: Leak) -> None:
    """Expect the one pair that was planted, by its names as they were given."""
    assert [pair.kind for pair in report.pairs] == [leak]
    assert report.leaks == 1
    pair = report.pairs[0]
    named = {name.split("/")[-1].split(".")[0] for name in (pair.first, pair.second)}
    assert named == {"p0", "again"} or (named == {"again"} and leak == "same bytes"), "one file stands for one hash"
    assert set(pair.splits) == {"train", "test"}
    (gone,) = report.removed
    assert gone.split == "train", "a test set stays whole"
    assert gone.name.split("/")[-1].startswith("p0." if "p0" in named else "again.")


@pytest.mark.parametrize("leak", LEAKS)
@pytest.mark.parametrize("form", PLAIN, ids=lambda form: form.__name__)
def test_a_planted_leak_is_found(form: Callable[[Path, list[Shot]], Given], leak: Leak, tmp_path: Path) -> None:
    what, options = form(tmp_path, cohort(leak))
    expect(audit(what, level="quick", **options), leak)


@pytest.mark.parametrize("leak", LEAKS[1:])
@pytest.mark.parametrize("form", WITHOUT_PATIENTS, ids=lambda form: form.__name__)
def test_a_planted_leak_is_found_in_folders(
    form: Callable[[Path, list[Shot]], Given], leak: Leak, tmp_path: Path
) -> None:
    what, options = form(tmp_path, cohort(leak))
    report = audit(what, level="quick", **options)
    expect(report, leak)
    assert report.parts["train"].unknown == 4, "that nobody is known is said"


@pytest.mark.parametrize("form", [*PLAIN, *WITHOUT_PATIENTS, dicom_files, dicom_folder], ids=lambda form: form.__name__)
def test_a_clean_twin_has_none(form: Callable[[Path, list[Shot]], Given], tmp_path: Path) -> None:
    if form in (dicom_files, dicom_folder):
        pytest.importorskip("pydicom")
    what, options = form(tmp_path, cohort())
    report = audit(what, level="quick", **options)
    assert (report.leaks, report.pairs, report.removed, report.contradictions) == (0, (), (), ())
    assert report.rows == {"train": 4, "test": 2}
    assert report.pictures == 6
    assert "no leak found" in str(report)


@pytest.mark.parametrize("leak", ["patient", "same pixels", "near-duplicate"])
@pytest.mark.parametrize("form", [dicom_files, dicom_folder], ids=lambda form: form.__name__)
def test_dicom_files_say_their_patients(form: Callable[[Path, list[Shot]], Given], leak: Leak, tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    what, options = form(tmp_path, cohort(leak))
    expect(audit(what, level="quick", **options), leak)


def test_slices_of_one_series_are_no_leak_of_pictures_but_their_patient_is(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    shots = cohort("near-duplicate")
    write_dicom(tmp_path, shots)
    from tests.dicom import radiograph

    for split, name in (("train", "p0"), ("test", "again")):
        shot = next(shot for shot in shots if shot.name.startswith(name))
        data = radiograph(shot.pixels + (split == "test"), PatientID="X", SeriesInstanceUID="1.2.3.9")
        (tmp_path / split / f"{name}.dcm").write_bytes(data)
    report = audit(tmp_path)
    assert [pair.kind for pair in report.pairs] == ["patient"]
    assert report.pairs[0].patients == ("X", "X")


@pytest.mark.parametrize("leak", ["same bytes", "same pixels"])
def test_volumes_are_compared(leak: Leak, tmp_path: Path) -> None:
    pytest.importorskip("isal")
    report = audit(write_volumes(tmp_path, cohort(leak)))
    expect(report, leak)
    assert report.save_html(tmp_path / "page.html").read_text(encoding="utf-8").count("<img ") == 2, "a slice of each"


def test_volumes_without_a_leak(tmp_path: Path) -> None:
    pytest.importorskip("isal")
    report = audit(write_volumes(tmp_path, cohort()))
    assert (report.leaks, report.pictures) == (0, 6)


@pytest.mark.parametrize("form", [folder_and_csv, image_folder], ids=lambda form: form.__name__)
def test_the_thorough_level_finds_a_turned_crop(form: Callable[[Path, list[Shot]], Given], tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    what, options = form(tmp_path, cohort("registered"))
    assert audit(what, level="quick", **options).leaks == 0
    report = audit(what, **options)
    assert report.level == "thorough"
    expect(report, "registered")


def test_the_thorough_level_finds_nothing_in_a_clean_twin(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    what, options = folder_and_csv(tmp_path, cohort())
    report = audit(what, level="thorough", **options)
    assert (report.leaks, report.level) == (0, "thorough")
