"""Films with stays and labs in days from the film: what users see, and what a damaged or changed source does."""

from __future__ import annotations

import shutil
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from covid_datasets import Built, build_dataset
from covid_datasets.errors import AccessRequired, ColumnMissingError, IncompleteSourceError
from covid_datasets.load.rows import decode_array
from covid_datasets.load.stored import open_table
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from covid_datasets.splits.index import Index
from tests.builders.test_builders import REAL, build, count
from tests.nifti import nifti
from tests.small import SmallSources
from tests.sources import hannover as source

needs_real = pytest.mark.skipif(not (REAL / "hannover").is_dir(), reason="no COVID_DATASETS_TEST_REAL")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write(tmp_path / "tree")
    return tmp_path / "tree"


def of(tree: Path, version: str = "") -> tuple[dict[str, Record], list[Notice]]:
    return build("hannover", RawTree.of_folder(tree, version=version))


def changed(tree: Path, image: str, **cells: str) -> None:
    """Write the table with other cells in the row of one film; ``__`` in a name stands for a hyphen."""
    cells = {name.replace("__", "-"): value for name, value in cells.items()}
    rows = [row | cells if row["image_id"] == image else row for row in source.ROWS]
    (tree / "data.csv").write_text(source.table(rows), encoding="utf-8", newline="")


def test_a_film_and_its_patient(tree: Path) -> None:
    records, notices = of(tree)
    assert notices == []
    assert len(records) == 6
    first = records["fff13f3a.png"]
    assert (first.patient, first.label, first.label_raw, first.modality) == ("024e7871", "covid19", None, "CXR")
    assert (first.view, first.sex, first.age, first.license) == ("PA", "F", None, "CC BY 3.0")
    assert (first.survival, first.clinical["went_icu"], first.clinical["in_icu"]) == (None, None, None)
    assert first.source_row["d-dimer_offset"] == "0.0"
    assert {name: value for name, value in first.clinical.items() if value is not None} == {
        "crp_mg_per_l": 3.0,
        "d_dimer_mg_per_l": 0.3,
        "lymphocytes_per_nl": 1.8,
        "neutrophils_per_nl": 3.1,
        "pco2_mmhg": 30.0,
        "po2_mmhg": 30.0,
    }


def test_ids_stay_text(tree: Path) -> None:
    records, _ = of(tree)
    assert (records["09258248.png"].patient, records["69651387.png"].patient) == ("23032572", "4125e500")


def test_days_are_counted_from_the_admission(tree: Path) -> None:
    records, _ = of(tree)
    assert records["69651387.png"].offset_days == 61
    assert records["69651387.png"].survival is False
    before = records["09258248.png"]
    assert (before.offset_days, before.flags) == (-23, ("lab_above_detection", "pre_admission"))
    assert (before.clinical["went_icu"], before.clinical["in_icu"]) == (True, False)


@pytest.mark.parametrize(
    ("image", "known"),
    [("b343e657", None), ("c9280a30", True), ("53c9be49", False), ("09258248", False), ("fff13f3a", None)],
    ids=["day of the transfer", "between the two", "after", "before", "never stated"],
)
def test_whether_a_film_was_taken_in_intensive_care(tree: Path, image: str, known: bool | None) -> None:
    assert of(tree)[0][f"{image}.png"].clinical["in_icu"] is known


def test_beyond_the_limits_of_detection_is_no_number(tree: Path) -> None:
    below = of(tree)[0]["69651387.png"]
    assert below.flags == ("lab_below_detection",)
    assert [below.clinical[name] for name in ("crp_mg_per_l", "d_dimer_mg_per_l", "po2_mmhg")] == [None, None, None]
    assert below.clinical["ldh_u_per_l"] == 245.0
    assert below.source_row["crp_val"] == "-inf"


def test_a_factor_whose_name_is_contradictory_is_not_harmonised(tree: Path) -> None:
    record = of(tree)[0]["b343e657.png"]
    assert 145.0 not in record.clinical.values()
    assert record.source_row["factor_xii_val"] == "145.0"


def test_the_first_version_says_that_its_dates_are_wrong(tree: Path) -> None:
    changed(tree, "c9280a30", icu_admission_offset="-9.0")
    records, _ = of(tree, "2020-05-12")
    assert all("dates_before_erratum" in record.flags for record in records.values())
    assert records["c9280a30.png"].flags == ("dates_before_erratum", "icu_before_admission")
    assert of(tree, "2020-07-16")[0]["c9280a30.png"].flags == ("icu_before_admission",)


@pytest.mark.parametrize(
    ("cells", "told", "unknown"),
    [
        ({"sex": "w"}, "sex is 'w', expected f or m", "sex"),
        ({"projection": "ll"}, "projection is 'll', expected ap or pa", "view"),
        (
            {"admission_offset": "soon"},
            "admission_offset is 'soon', expected a number from -3,650 to 3,650",
            "offset_days",
        ),
        (
            {"admission_offset": "inf"},
            "admission_offset is 'inf', expected a number from -3,650 to 3,650",
            "offset_days",
        ),
        ({"admission_offset": "1.5"}, "admission_offset is '1.5', expected whole days", "offset_days"),
        ({"death_offset": "nan"}, "death_offset is 'nan', expected a number from -3,650 to 3,650", "survival"),
        ({"crp_val": "high"}, "crp_val is 'high', expected a number from 0 to 1,000", "crp_mg_per_l"),
        ({"d__dimer_val": "-2"}, "d-dimer_val is '-2', expected a number from 0 to 1,000", "d_dimer_mg_per_l"),
        ({"modality": "CT"}, "modality is 'CT', expected CR or DX", ""),
    ],
)
def test_a_value_outside_of_the_table_is_told_and_unknown(
    tree: Path, cells: dict[str, str], told: str, unknown: str
) -> None:
    changed(tree, "fff13f3a", **cells)
    records, notices = of(tree)
    kind = "unknown value" if {"sex", "projection", "modality"} & cells.keys() else "impossible value"
    assert [(notice.kind, notice.where, notice.dropped) for notice in notices] == [(kind, "png/fff13f3a.png", False)]
    assert notices[0].what.startswith(told)
    record = records["fff13f3a.png"]
    if unknown:
        assert (record.clinical[unknown] if unknown in record.clinical else getattr(record, unknown)) is None


def test_one_id_with_two_sexes_is_told_and_stays_one_group(tree: Path) -> None:
    changed(tree, "c9280a30", sex="f")
    records, notices = of(tree)
    assert [(notice.kind, notice.where) for notice in notices] == [("patient with several sexes", "042f06a9")]
    assert (records["c9280a30.png"].sex, records["b343e657.png"].sex) == ("F", "M")
    assert records["c9280a30.png"].patient == records["b343e657.png"].patient


def test_rows_and_files_that_do_not_match(tree: Path) -> None:
    rows = [*source.ROWS, source.ROWS[0] | {"sex": "m"}, {"patient_id": "aa", "image_id": ""}]
    rows[1] = rows[1] | {"patient_id": " "}
    (tree / "data.csv").write_text(source.table(rows), encoding="utf-8", newline="")
    (tree / "png/ffffffff.png").write_bytes(b"x")
    records, notices = of(tree)
    told = count(notices)
    assert told.pop("patient with several sexes", 0) <= 1
    assert told == {"row listed twice": 1, "broken row": 1, "file not in the table": 1}
    assert {notice.kind for notice in notices if notice.dropped} == {"broken row", "file not in the table"}
    assert records["fff13f3a.png"].sex == "F"
    assert (records["b343e657.png"].patient, records["b343e657.png"].ties) == (
        None,
        ("table:rows without a patient",),
    )


def test_a_renamed_column_is_named_with_the_nearest(tree: Path) -> None:
    text = (tree / "data.csv").read_text(encoding="utf-8")
    (tree / "data.csv").write_text(text.replace("d-dimer_val", "d_dimer_val"), encoding="utf-8")
    with pytest.raises(ColumnMissingError, match=r"data\.csv: expected a column 'd-dimer_val'.*'d_dimer_val'"):
        of(tree)


def test_without_the_table_nothing_is_known(tree: Path) -> None:
    (tree / "data.csv").unlink()
    with pytest.raises(IncompleteSourceError, match=r"data\.csv: expected this table"):
        of(tree)


@pytest.mark.parametrize(
    ("damage", "kind"),
    [("missing", "missing file"), ("cut", "changed or damaged"), ("empty", "empty file"), ("extra", "extra file")],
)
def test_files_that_are_not_as_published(damage: str, kind: str, small: SmallSources, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small.tree("hannover"), tree)
    path = tree / "png" / ("c9280a30.png" if damage != "extra" else "ffffffff.png")
    content = (tree / "png/c9280a30.png").read_bytes()
    path.unlink(missing_ok=True)
    if damage != "missing":
        path.write_bytes({"cut": content[:2000], "empty": b"", "extra": content}[damage])
    built: Built = build_dataset("hannover", data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert built.rows == (6 if damage == "extra" else 5)
    told = [notice for notice in built.manifest()["notices"] if notice["kind"] == kind]
    assert [Path(notice["where"]).name for notice in told] == [path.name]
    with pytest.raises(IncompleteSourceError, match="hannover@2020-07-16"):
        build_dataset("hannover", data_dir=tree, cache_dir=tmp_path / "whole", num_proc=1)


def test_the_real_files_are_those_of_the_manifest(mirror: Path, tmp_path: Path) -> None:
    archive = "github.com/ml-workgroup/covid-19-image-repository/archive"
    if not (mirror / archive).is_dir():
        pytest.skip(f"the mirror has no {archive}")
    built = build_dataset("hannover", mirror=str(mirror), cache_dir=tmp_path, num_proc=1, allow_missing=True)
    assert 0 < built.rows <= 243
    kinds = {notice["kind"] for notice in built.manifest()["notices"]}
    assert kinds <= {"missing file", "file not served"}, "expected that every file that is there is as pinned"


@needs_real
def test_hannover_whole() -> None:
    records, notices = of(REAL / "hannover")
    rows = list(records.values())
    assert notices == []
    assert (len(rows), len({row.patient for row in rows})) == (243, 71)
    assert Counter(row.sex for row in rows) == {"M": 180, "F": 63}
    assert Counter(row.view for row in rows) == {"AP": 194, "PA": 49}
    assert Counter(flag for row in rows for flag in row.flags) == {
        "pre_admission": 4,
        "lab_above_detection": 6,
        "lab_below_detection": 6,
    }
    stated = Counter(name for row in rows for name, value in row.clinical.items() if value is not None)
    assert (stated["went_icu"], stated["crp_mg_per_l"], stated["d_dimer_mg_per_l"], stated["po2_mmhg"]) == (
        186,
        177,
        90,
        172,
    )
    assert sum(row.survival is False for row in rows) == 48
    days = [row.offset_days for row in rows if row.offset_days is not None]
    assert (len(days), min(days), max(days)) == (243, -23, 61)


# --- the raw films -------------------------------------------------------------------------------------------------


def test_raw_films_are_the_stored_numbers_under_the_same_ids(small: SmallSources) -> None:
    """So that ties to copies of a film, which name its id, hold for the raw film too."""
    usual, raws = (
        {row["sample_id"]: row for row in open_table(small.build("hannover", config=config)).to_pylist()}
        for config in ("default", "nifti")
    )
    assert usual.keys() == raws.keys()
    for number, row in enumerate(source.ROWS):
        found = raws[f"hannover/{row['image_id']}.png"]
        assert np.array_equal(decode_array(found["image"]["bytes"]), source.raw_film(number))
        assert found["image"]["path"] == f"{row['image_id']}.nii.gz.tiff"
        assert found["value_range"].startswith("grey levels of 16 bits")
        same = usual[found["sample_id"]]
        assert [found[name] for name in ("patient_id", "view", "sex")] == [
            same[name] for name in ("patient_id", "view", "sex")
        ]
    tied = [Index.read(small.build("hannover", config=config).path) for config in ("default", "nifti")]
    places = [dict(zip(index.texts("sample_id"), index.texts("split"), strict=True)) for index in tied]
    assert places[0] == places[1]
    assert ["picture:cohen/b343e657.jpg"] in tied[1].ties


def test_raw_films_that_are_no_films_are_told(tree: Path, small: SmallSources, tmp_path: Path) -> None:
    folder = tree
    two = np.stack([source.raw_film(0)] * 2)
    (folder / "fff13f3a.nii.gz").write_bytes(nifti(two))
    (folder / "c9280a30.nii.gz").write_bytes(nifti(source.raw_film(2)[None] - np.int16(2000)))
    (folder / "53c9be49.nii.gz").unlink()
    shutil.copy(folder / "09258248.nii.gz", folder / "00000000.nii.gz")
    with small.in_use():
        built = build_dataset(
            "hannover", "nifti", data_dir=tree, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True
        )
    told = {note["where"]: note["what"] for note in built.manifest()["notices"]}
    assert built.rows == 4
    assert "expected one picture, found 2 slices" in told["fff13f3a.nii.gz"]
    kept = {row["sample_id"]: row["value_range"] for row in open_table(built).to_pylist()}
    lowest = int(source.raw_film(2).min()) - 2000
    assert kept["hannover/c9280a30.png"].endswith(f"stored value * 1 + {lowest}"), "moved up, and said"
    assert "the file is not there" in told["53c9be49.nii.gz"]
    assert "does not list it" in told["00000000.nii.gz"]


def test_without_the_archive_its_user_is_told_where_it_is(small: SmallSources, tmp_path: Path) -> None:
    with pytest.raises(AccessRequired) as error:
        build_dataset("hannover", "nifti", cache_dir=tmp_path, offline=True)
    assert "10.25835/0090041" in str(error.value)
    assert "covid-datasets build hannover --data-dir FOLDER --config nifti" in str(error.value)


def test_the_archive_is_found_under_its_own_name_whatever_folder_is_in_it(small: SmallSources, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(small.tree("hannover"), tmp_path / "tree"))
    with tarfile.open(tree / "v2_cov19_nii.tar", "w") as packed:
        for path in sorted(tree.glob("*.nii.gz")):
            packed.add(path, f"cov19/nii/{path.name}")
            path.unlink()
    with small.in_use():
        built = build_dataset("hannover", "nifti", data_dir=tree, cache_dir=tmp_path / "cache", allow_missing=True)
    assert built.fingerprint == small.build("hannover", config="nifti").fingerprint
