"""MosMedData as its users meet it: both configs, both layouts, and what is wrong with the files they have."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from covid_datasets.builders import mosmed

from covid_datasets import build_dataset, check, load_dataset, verify
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.errors import ColumnMissingError, DamagedFileError, IncompleteSourceError
from covid_datasets.load.rows import decode_array
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.read import bounds
from covid_datasets.read.nifti import read_volume
from covid_datasets.schema import Notice, Record
from tests.nifti import USUAL, nifti
from tests.sources import mosmed as source
from tests.tiny import installed

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
ROOT = Path(__file__).resolve().parents[2]
PINNED = 'manifest = "mosmed-8c802774.tsv"\n'
MASKED = "studies/CT-1/study_0255.nii.gz"
MASK = "masks/study_0255_mask.nii.gz"


@pytest.fixture(autouse=True)
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Leave the manifest away: phantoms are not the publisher's volumes."""
    text = (catalog_folder() / "mosmed.toml").read_text(encoding="utf-8")
    volume = 'what = "a volume"'
    unpinned = text.replace(PINNED, "").replace(volume, f"{volume}, required = true")  # what the manifest said
    with installed(tmp_path / "package", monkeypatch, {"mosmed": unpinned}):
        yield text


@pytest.fixture
def pinned(card: str, tree: Path) -> None:
    """Let the manifest name the volumes and masks of the small tree, as git does."""
    lines = ["path\tsize\tsha256\tgit_sha1"]
    for path in sorted(tree.rglob("*.nii.gz")):
        data = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        lines.append(f"{path.relative_to(tree).as_posix()}\t\t\t{blob}")
    folder = catalog_folder() / "manifests"
    (folder / "small.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (catalog_folder() / "mosmed.toml").write_text(card.replace(PINNED, 'manifest = "small.tsv"\n'), encoding="utf-8")
    read_manifest.cache_clear()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mosmed") / "COVID19_1110"
    source.write_unpacked(folder)
    return folder


@pytest.fixture
def tree(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "COVID19_1110"))


def build(tree: Path, config: str = "volumes", **options: Any) -> Built:
    cache = tree.parent / f"cache-{config}"
    return build_dataset(
        "mosmed", config, data_dir=tree, cache_dir=cache, num_proc=1, **{"allow_missing": True} | options
    )


def stored(built: Built) -> dict[str, dict[str, Any]]:
    return {row["sample_id"].removeprefix("mosmed/"): row for row in open_table(built).to_pylist()}


def notices(built: Built) -> dict[str, str]:
    return {f"{note['kind']}: {note['where']}": note["what"] for note in built.manifest()["notices"]}


def enumerated(tree: Path, **options: Any) -> tuple[dict[str, Record], dict[str, Notice]]:
    found = list(mosmed.records(RawTree.of_folder(tree, options=options)))
    records = {item.sample_id: item for item in found if isinstance(item, Record)}
    return records, {item.kind: item for item in found if isinstance(item, Notice)}


# --- what users get ------------------------------------------------------------------------------------------------


def test_volumes_are_the_publishers_files(tree: Path) -> None:
    rows = stored(build(tree))
    assert sorted(rows) == [study for study, _ in source.STUDIES]
    row = rows["study_0255"]
    assert row["volume"] == {"bytes": (tree / MASKED).read_bytes(), "path": MASKED}
    assert row["volume_masks"]["infection"] == {"bytes": (tree / MASK).read_bytes(), "path": MASK}
    assert (row["width"], row["height"], row["depth"], row["spacing"]) == (96, 96, 12, [0.7, 0.7, 8.0])
    assert row["value_range"].startswith("-1")
    assert (row["patient_id"], row["label_raw"], row["severity"]) == ("mosmed/study_0255", "CT-1", "CT-1")
    assert [name for name, row in rows.items() if row["volume_masks"]["infection"]] == [
        f"study_{number:04}" for number in source.MASKED
    ]


@pytest.mark.parametrize("config", ["volumes", "slices"])
def test_a_card_may_raise_the_bound_of_its_volumes(tree: Path, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The volumes of the tree stand for ones that are too large for a file of any source."""
    whole = len(stored(build(tree, config)))
    for limit in ("HELD_BYTES", "STREAMED_BYTES", "EXPANSION"):
        monkeypatch.setattr(bounds, limit, 0)
    with pytest.raises(DamagedFileError, match="the limit is 0, or 0 times the file"):
        read_volume((tree / MASKED).read_bytes(), MASKED)
    with pytest.raises(IncompleteSourceError, match="the limit is 0, or 0 times the file"):
        build(tree, config, allow_missing=False)
    path = catalog_folder() / "mosmed.toml"
    configs = path.read_text(encoding="utf-8").replace('needs = ["nibabel"]', f"max_voxels = {96 * 96 * 12}")
    path.write_text(configs, encoding="utf-8")
    assert len(stored(build(tree, config))) == whole
    with pytest.raises(DamagedFileError, match="the limit is 0, or 0 times the file"):
        read_volume((tree / MASKED).read_bytes(), MASKED)


def test_no_grade_is_called_a_test_result(tree: Path) -> None:
    built = build(tree)
    assert built.labels == {"no_finding": 3, "viral_pneumonia": 11}
    rows = stored(built)
    assert {row["severity"] for row in rows.values()} == {"CT-0", "CT-1", "CT-2", "CT-3", "CT-4"}
    assert all(row["clinical"]["rt_pcr_positive"] is None for row in rows.values())


def test_hugging_face_decodes_volumes(tree: Path) -> None:
    pytest.importorskip("datasets")
    built = build(tree)
    rows = load_dataset("mosmed", split="all", cache_dir=built.path.parents[4], allow_missing=True)
    row = next(row for row in rows if row["sample_id"] == "mosmed/study_0255")
    assert np.array_equal(np.asarray(row["volume"].dataobj).T, source.hounsfield(255))
    assert np.array_equal(np.asarray(row["volume_masks"]["infection"].dataobj).T, source.infection(255))


def test_slices_are_the_volume_turned_to_display(tree: Path) -> None:
    built = build(tree, "slices")
    rows = stored(built)
    assert built.rows == len(source.STUDIES) * source.DEPTH
    assert built.patients == len(source.STUDIES)
    mine = [rows[f"study_0255/{number:03}"] for number in range(source.DEPTH)]
    pixels = np.stack([decode_array(row["image"]["bytes"]) for row in mine])
    masks = np.stack([decode_array(row["masks"]["infection"]["bytes"]) for row in mine])
    assert pixels.dtype == np.int16
    assert np.array_equal(pixels, source.hounsfield(255)[:, ::-1])
    assert np.array_equal(masks, source.infection(255)[:, ::-1])
    assert masks.dtype == np.uint8
    assert [row["part_index"] for row in mine] == list(range(source.DEPTH))
    assert [row["position"][2] for row in mine] == [-300.0 + 8 * number for number in range(source.DEPTH)]
    assert all(row["orientation"] == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] for row in mine)
    assert (mine[0]["view"], mine[0]["series_id"], mine[0]["pixel_mode"]) == ("axial", "mosmed/study_0255", "I")
    assert rows["study_0001/000"]["masks"]["infection"] is None
    assert verify(built.path, pixels=True).ok


def test_all_slices_of_a_person_are_in_one_split(tree: Path) -> None:
    volumes, slices = build(tree), build(tree, "slices")
    of: dict[str, set[str]] = {}
    for split in ("train", "validation", "test"):
        for row in load_dataset(
            "mosmed", "slices", split, framework="numpy", cache_dir=slices.path.parents[4], allow_missing=True
        ):
            of.setdefault(row["patient_id"], set()).add(split)
    assert all(len(splits) == 1 for splits in of.values())
    for split in ("train", "validation", "test"):
        for row in load_dataset(
            "mosmed", "volumes", split, framework="numpy", cache_dir=volumes.path.parents[4], allow_missing=True
        ):
            assert of[row["patient_id"]] == {split}, "both configs are split alike"


# --- how users have it ---------------------------------------------------------------------------------------------


def test_every_layout_gives_the_same_voxels(tree: Path, tmp_path: Path) -> None:
    inside, unpacked, zipped, bare = (tmp_path / name / "data" for name in ("inside", "unpacked", "zipped", "bare"))
    source.write_unpacked(inside, inside=True)
    source.write_unpacked(unpacked / "COVID19_1110", packed=False)
    source.write_archives(zipped)
    source.write_archives(bare, root="")
    first = build(tree, "slices")
    assert build(zipped, "slices").fingerprint == first.fingerprint
    assert build(bare, "slices").fingerprint == first.fingerprint
    assert build(tree.parent / "COVID19_1110", "volumes").fingerprint == build(zipped).fingerprint
    for other in (build(inside, "slices"), build(unpacked, "slices")):
        rows = stored(other)
        assert {name: row["sha256"] for name, row in rows.items()} == {
            name: row["sha256"] for name, row in stored(first).items()
        }
        assert other.labels == first.labels
    assert "table missing: dataset_registry.xlsx" in notices(build(inside, "slices"))


def test_an_archive_without_its_root_is_served(tree: Path, tmp_path: Path) -> None:
    source.write_archives(tmp_path / "mirror", root="")
    served = build_dataset(
        "mosmed", cache_dir=tmp_path / "other", mirror=str(tmp_path / "mirror"), num_proc=1, allow_missing=True
    )
    assert served.fingerprint == build(tree).fingerprint


# --- what is not there, and what somebody changed -------------------------------------------------------------------


def test_the_manifest_names_every_volume_and_mask_of_the_publisher() -> None:
    listed = read_manifest("mosmed-8c802774.tsv", ROOT / "catalogs" / "manifests")
    grades = Counter(path.split("/")[1] for path in listed if path.startswith("studies/"))
    assert grades == {"CT-0": 254, "CT-1": 684, "CT-2": 125, "CT-3": 45, "CT-4": 2}
    numbers = [int(path[-11:-7]) for path in listed if path.startswith("studies/")]
    assert sorted(numbers) == list(range(1, 1111))
    masks = [path for path in listed if path.startswith("masks/")]
    assert masks == [f"masks/study_{number:04}_mask.nii.gz" for number in range(255, 305)]


@pytest.mark.usefixtures("pinned")
def test_a_whole_copy_is_ready_however_it_lies(tree: Path, tmp_path: Path) -> None:
    inside, unpacked, zipped = (tmp_path / name / "data" for name in ("inside", "unpacked", "zipped"))
    source.write_unpacked(inside, inside=True)
    source.write_unpacked(unpacked / "COVID19_1110", packed=False)
    source.write_archives(zipped)
    for data in (tree, inside, unpacked, zipped):
        found = check("mosmed", data)
        assert (found.ok, found.missing, found.extra) == (True, (), ()), data
        assert build(data).rows == len(source.STUDIES)
        assert not [told for told in notices(build(data)) if "changed" in told or "not usable" in told]


@pytest.mark.usefixtures("pinned")
def test_a_copy_that_lacks_something_is_not_ready_and_each_file_is_named(tree: Path) -> None:
    whole = {path.relative_to(tree).as_posix() for path in tree.rglob("*.nii.gz")}
    (tree / MASK).unlink()
    (tree / MASKED).unlink()
    found = check("mosmed", tree)
    assert (found.ok, found.missing) == (False, (MASK, MASKED))
    for path in tree.rglob("*.nii.gz"):
        path.unlink()
    found = check("mosmed", tree)
    assert (found.ok, set(found.missing)) == (False, whole)
    (tree / "studies/CT-0/study_0001.nii.gz").write_bytes(b"x")
    found = check("mosmed", tree)
    assert (found.ok, len(found.missing)) == (False, len(whole) - 1)
    with pytest.raises(IncompleteSourceError, match=f"{len(whole) - 1} of .* files are missing"):
        build(tree, allow_missing=False)


@pytest.mark.usefixtures("pinned")
@pytest.mark.parametrize("inside", [False, True])
def test_a_volume_of_somebody_else_is_dropped_and_told(tmp_path: Path, inside: bool) -> None:
    data = tmp_path / "theirs"
    source.write_unpacked(data, inside=inside)
    path = next(data.rglob("study_0939.nii.gz"))
    path.write_bytes(nifti(source.hounsfield(940)))
    mask = next(data.rglob("study_0255_mask.nii.gz"))
    mask.write_bytes(nifti(source.infection(256)))
    for config in ("volumes", "slices"):
        built = build(data, config)
        told = [f"{where}: {what}" for where, what in notices(built).items() if "expected git blob" in what]
        assert len(told) == 2, told
        assert not [name for name in stored(built) if name.startswith("study_0939")]


# --- what is wrong with it -----------------------------------------------------------------------------------------


def torn(data: bytes) -> bytes:
    return data[: len(data) // 2]


def wrong_checksum(data: bytes) -> bytes:
    return data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]


def promising(data: bytes) -> bytes:
    plain = bytearray(gzip.decompress(data))
    struct.pack_into("<h", plain, 46, 40)
    return gzip.compress(plain)


@pytest.mark.parametrize("config", ["volumes", "slices"])
@pytest.mark.parametrize("harm", [torn, wrong_checksum, promising, lambda data: b"<html>please log in</html>"])
def test_a_damaged_volume_is_dropped_and_told(tree: Path, config: str, harm: Callable[[bytes], bytes]) -> None:
    path = tree / "studies/CT-2/study_0939.nii.gz"
    path.write_bytes(harm(path.read_bytes()))
    built = build(tree, config)
    assert not [name for name in stored(built) if name.startswith("study_0939")]
    kind = "undecodable (poor)" if config == "volumes" else "damaged file"
    told = notices(built)[f"{kind}: studies/CT-2/study_0939.nii.gz"]
    assert "expected a whole NIfTI volume" in told
    assert built.incomplete
    with pytest.raises(IncompleteSourceError, match="study_0939"):
        build(tree, config, allow_missing=False)
    with pytest.raises(DamagedFileError):
        read_volume(path.read_bytes(), path.name)


@pytest.mark.parametrize("config", ["volumes", "slices"])
@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (nifti(source.infection(255)[1:]), "expected the shape (12, 96, 96) of its image, found (11, 96, 96)"),
        (nifti(source.infection(255), USUAL + np.eye(4, k=3) * 5), "a corner that is 5 mm apart"),
        (nifti(source.infection(255), USUAL @ np.diag([1, 1, 0.1, 1])), "LAS of 0.7 x 0.7 x 0.8 mm)"),
        (nifti(source.infection(255))[:-30], "expected a whole NIfTI volume"),
    ],
)
def test_a_mask_of_another_grid_is_told_and_not_used(tree: Path, config: str, mask: bytes, why: str) -> None:
    (tree / MASK).write_bytes(mask)
    built = build(tree, config)
    assert why in notices(built)[f"mask not usable: {MASK}"]
    rows = [row for name, row in stored(built).items() if name.startswith("study_0255")]
    assert len(rows) == (1 if config == "volumes" else source.DEPTH)
    for row in rows:
        assert row["masks"]["infection"] is row["volume_masks"]["infection"] is None


@pytest.mark.parametrize("config", ["volumes", "slices"])
def test_a_mask_with_other_values_is_told(tree: Path, config: str) -> None:
    (tree / MASK).write_bytes(nifti(source.infection(255) * np.uint8(2)))
    told = notices(build(tree, config))[f"mask with other values: {MASK}"]
    assert told == "expected 0 and 1, found 2; above 0.5 counts as 1"


def test_values_that_are_no_hounsfield_units(tree: Path) -> None:
    path = tree / "studies/CT-2/study_0939.nii.gz"
    path.write_bytes(nifti(source.hounsfield(939) / np.float32(3)))
    built = build(tree, "slices")
    told = notices(built)["undecodable (poor): studies/CT-2/study_0939.nii.gz"]
    assert told.startswith("12 of 12 slices hold no 16-bit Hounsfield units and are left out")
    assert built.incomplete
    assert "study_0939" in stored(build(tree)), "as a volume it is as published"


def test_registry_and_files_that_do_not_match(tree: Path) -> None:
    (tree / "studies/CT-0/study_0002.nii.gz").unlink()
    (tree / "masks/study_0256_mask.nii.gz").unlink()
    (tree / "studies/CT-0/study_0777.nii.gz").write_bytes(nifti(source.hounsfield(777)))
    (tree / "masks/study_0888_mask.nii.gz").write_bytes(nifti(source.infection(888)))
    (tree / "studies/CT-0/study_0001.nii").write_bytes(nifti(source.hounsfield(1), packed=False))
    (tree / "studies/CT-0/notes.docx").write_bytes(b"x")
    rows = source.rows()
    rows[0][1] = "CT-1"
    rows[2][1] = "CT-7"
    rows = [row if row[0] != 304 else [*row[:3], None] for row in rows]
    source.write_registry(tree, [*rows, rows[5], ["x", "CT-0", "/studies/x.nii.gz", None]])
    records, told = enumerated(tree)
    assert len(records) == len(source.STUDIES) + 1
    assert {kind: notice.where for kind, notice in told.items()} == {
        "category contradicts the folder": "studies/CT-0/study_0254.nii.gz",
        "extra file": "studies/CT-0/notes.docx",
        "file not in the table": "studies/CT-0/study_0777.nii.gz",
        "file twice": "studies/CT-0/study_0001.nii",
        "mask missing": "masks/study_0256_mask.nii.gz",
        "mask not in the table": "masks/study_0304_mask.nii.gz",
        "mask without a study": "masks/study_0888_mask.nii.gz",
        "row listed twice": "study_0304",
        "broken row": "dataset_registry.xlsx",
        "unknown category": "studies/CT-0/study_0254.nii.gz",
    }
    assert (records["study_0001"].label, records["study_0001"].label_raw) == ("viral_pneumonia", "CT-1")
    assert (records["study_0254"].label, records["study_0254"].flags) == (None, ("unknown_finding",))
    assert records["study_0254"].label_raw == "CT-7"
    assert (records["study_0777"].label, records["study_0777"].source_row) == ("no_finding", {})
    assert not records["study_0256"].volume_masks
    assert records["study_0304"].volume_masks
    built = build(tree)
    assert "missing file: studies/CT-0/study_0002.nii.gz" in notices(built)
    assert built.incomplete


def test_a_row_without_a_file_is_known_by_its_number(tree: Path) -> None:
    rows = source.rows()
    rows[3] = [255, "CT-1", None, "/masks/study_0255_mask.nii.gz"]
    rows[4] = ["study_0256", "CT-1", None, None]
    source.write_registry(tree, rows)
    records, told = enumerated(tree)
    assert sorted(records) == [study for study, _ in source.STUDIES]
    assert records["study_0255"].source_row["study_id"] == "255"
    assert told.keys() == {"mask not in the table"}


def test_a_place_that_a_volume_tells_in_two_ways(tree: Path) -> None:
    image = nibabel.Nifti1Image(source.hounsfield(939).T, USUAL)
    image.set_qform(USUAL @ np.diag([1.0, 1.0, 0.1, 1.0]), 1)  # slices as if none had been left out
    image.set_sform(USUAL, 1)
    (tree / "studies/CT-2/study_0939.nii.gz").write_bytes(gzip.compress(image.to_bytes()))
    told = notices(build(tree, "slices"))["sform and qform differ: studies/CT-2/study_0939.nii.gz"]
    assert told.endswith("(axes LAS of 0.7 x 0.7 x 8 mm, and LAS of 0.7 x 0.7 x 0.8 mm)")
    assert "sform and qform differ" in stored(build(tree))["study_0939"]["quality_reasons"]


def test_a_renamed_column_is_named(tree: Path) -> None:
    source.write_registry(tree, header=("study_id", "Category CT", "study_file", "mask_file"))
    with pytest.raises(ColumnMissingError, match="expected a column 'category', found .*'Category CT'"):
        enumerated(tree)


def test_another_sheet_is_named(tree: Path) -> None:
    source.write_registry(tree, title="Sheet1")
    with pytest.raises(ColumnMissingError, match="expected a sheet 'MosMedData COVID19_1110', found Sheet1"):
        enumerated(tree)


@pytest.mark.parametrize("data", [b"study_id,category,study_file,mask_file\n", b"", b"PK\x03\x04 and no more"])
def test_text_in_place_of_the_workbook(tree: Path, data: bytes) -> None:
    (tree / "dataset_registry.xlsx").write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"dataset_registry\.xlsx"):
        enumerated(tree)
