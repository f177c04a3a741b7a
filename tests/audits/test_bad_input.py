"""What strangers give: misspelt, missing, doubled, damaged, hostile, and written on other machines."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import audit
from covid_datasets.audits.report import Audit
from covid_datasets.cli import main
from covid_datasets.errors import (
    ColumnMissingError,
    CovidDatasetsError,
    DamagedFileError,
    NotThereError,
    UnknownDatasetError,
    UsageError,
)
from tests.audits.cohort import cohort, rows_of, write_csv, write_files, write_shards


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path / "pictures", cohort("near-duplicate"))


ROWS = rows_of(cohort("near-duplicate"))


def quick(what: Any, **options: Any) -> Audit:
    return audit(what, level="quick", **options)


def told(report: Audit, kind: str) -> list[tuple[str, str, int]]:
    return [(each.where, each.what, each.count) for each in report.notices if each.kind == kind]


# --- tables


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-8-sig", ","), ("utf-8", ";"), ("utf-16", "\t"), ("utf-16", ","), ("cp1252", ";"), ("utf-8", "|")],
)
def test_tables_as_excel_and_others_write_them(folder: Path, tmp_path: Path, encoding: str, delimiter: str) -> None:
    lines = [delimiter.join((" File Name ".strip(), "Split", "Label", "Patient"))]
    lines += [delimiter.join((row["file"], row["split"], "größer", row["patient"])) for row in ROWS]
    table = tmp_path / "my.csv"
    table.write_bytes("\r\n".join(lines).encode(encoding))
    report = quick(folder, split=table)
    assert (report.leaks, report.rows) == (1, {"train": 4, "test": 3})
    assert report.parts["train"].labels == {"größer": 4}


@pytest.mark.parametrize(
    "prefix", ["./", "pictures/", "/home/somebody/pictures/", "C:\\data\\pictures\\", "..\\pictures\\", ""]
)
def test_paths_of_other_machines(folder: Path, prefix: str) -> None:
    rows = [row | {"file": prefix + row["file"]} for row in ROWS]
    report = quick(folder, split=rows)
    assert (report.leaks, told(report, "file not there")) == (1, [])
    assert report.pairs[0].first == prefix + "p0.png", "names are told as they were given"


def test_names_without_ending_and_absolute_paths(folder: Path) -> None:
    assert quick(folder, split=[row | {"file": row["file"].split(".")[0]} for row in ROWS]).leaks == 1
    assert quick(folder, split=[row | {"file": str(folder / row["file"])} for row in ROWS]).leaks == 1


def test_a_misspelt_column_gets_its_nearest_name(folder: Path) -> None:
    rows = [{"file": row["file"], "splt": row["split"]} for row in ROWS]
    with pytest.raises(ColumnMissingError, match=r"part of the split .* found 'file', 'splt'. Did you mean 'splt'\?"):
        quick(folder, split=rows)
    with pytest.raises(ColumnMissingError, match=r"expected a column 'splitt', .*Did you mean 'splt'\?"):
        quick(folder, split=rows, columns={"split": "splitt"})
    with pytest.raises(UsageError, match=r"columns: expected file, .* found 'spilt'. Did you mean 'split'\?"):
        quick(folder, split=rows, columns={"spilt": "splt"})
    assert quick(folder, split=rows, columns={"split": "splt"}).leaks == 1
    with pytest.raises(ColumnMissingError, match="of file names, or of sha256"):
        quick(folder, split=[{"picture number": 1, "split": "train"}])


def test_a_table_that_is_not_there_and_one_that_is_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "splits.csv").write_text("file,split\n")
    with pytest.raises(NotThereError, match=r"Did you mean 'splits.csv'\?"):
        quick(folder, split=tmp_path / "split.csv")
    with pytest.raises(UsageError, match="expected rows that are in some part of a split, found none"):
        quick(folder, split=tmp_path / "splits.csv")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "binary.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (tmp_path / "half.csv").write_bytes("file,split".encode("utf-16")[:-1])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    for name in ("empty.csv", "binary.csv", "half.csv", "bad.parquet"):
        with pytest.raises(DamagedFileError):
            quick(folder, split=tmp_path / name)
    for odd in (7, [], [1, 2], object()):
        with pytest.raises(UsageError, match="split: expected a table"):
            quick(folder, split=odd)


def test_rows_without_a_part_are_counted_and_rows_without_a_name_refused(folder: Path) -> None:
    rows = [*ROWS, {"file": "p1.png", "split": ""}, {"file": "p2.png", "split": None}]
    report = quick(folder, split=rows)
    assert told(report, "row without a split")[0][2] == 2
    assert report.rows == {"train": 4, "test": 3}
    with pytest.raises(UsageError, match="the list row 1: expected the name of a file"):
        quick(folder, split=[ROWS[0], {"file": " ", "split": "test"}])


def test_files_that_are_not_there_are_named_with_their_row(folder: Path, tmp_path: Path) -> None:
    table = write_csv(tmp_path / "my.csv", cohort("near-duplicate"))
    with table.open("a", encoding="utf-8") as file:
        file.write("gone.png,test,a,P0\nlost.png,test,a,P44\n")
    (folder / "unlisted.png").write_bytes((folder / "p5.png").read_bytes())
    report = quick(folder, split=table)
    assert told(report, "file not there") == [("my.csv line 9", "gone.png", 1), ("my.csv line 10", "lost.png", 1)]
    assert told(report, "file in no row") == [("unlisted.png", "1 files are in no row: unlisted.png", 1)]
    kinds = {(pair.first, pair.second): pair.kind for pair in report.pairs}
    assert kinds == {("p0.png", "again.jpg"): "near-duplicate", ("p0.png", "gone.png"): "patient"}, (
        "who it shows is known without the picture"
    )


def test_nothing_of_the_table_is_there(folder: Path) -> None:
    with pytest.raises(UsageError, match="found none of 1 there: the table has 'x/1.png', the folder has 'again.jpg'"):
        quick(folder, split=[{"file": "x/1.png", "split": "train"}])


def test_one_file_in_two_rows_of_two_parts_leaks_and_in_one_part_is_told(folder: Path) -> None:
    report = quick(
        folder, split=[*ROWS[:6], {"file": "p1.png", "split": "test"}, {"file": "./p2.png", "split": "train"}]
    )
    assert [(pair.first, pair.second, pair.kind) for pair in report.pairs] == [("p1.png", "p1.png", "same bytes")]
    assert {where for where, _, _ in told(report, "one file, several rows")} == {"p1.png", "p2.png"}


def test_two_files_of_one_name_are_told_apart_by_folders_or_not_at_all(tmp_path: Path) -> None:
    write_files(tmp_path / "all", cohort(), lambda shot: f"{shot.patient}/x.png")
    rows = [{"file": f"{shot.patient}/x.png", "split": shot.split} for shot in cohort()]
    assert quick(tmp_path / "all", split=rows).pictures == 6
    report = quick(tmp_path / "all", split=[*rows, {"file": "x.png", "split": "test"}])
    assert "'x.png' fits 6 files" in told(report, "ambiguous name")[0][1]


def test_numbers_from_data_frames(folder: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rows = [row | {"patient": number if number else None} for number, row in enumerate(ROWS)]
    report = quick(folder, split=pandas.DataFrame(rows))
    assert (report.parts["train"].patients, report.parts["train"].unknown) == (3, 1)
    assert {sample.patient for sample in report.samples} == {None, "1", "2", "3", "4", "5", "6"}


def test_a_table_alone_without_any_picture_says_so() -> None:
    rows = [{"file": "a.png", "split": "train"}, {"file": "a.png", "split": "test"}, {"file": "b.png", "split": "test"}]
    report = quick(rows)
    assert [(pair.kind, pair.evidence) for pair in report.pairs] == [("same file", "a.png")]
    assert report.pictures == 0
    assert "audited by names, patients and hashes alone" in told(report, "no pictures")[0][1]


# --- folders


def test_a_folder_that_says_no_parts(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected folders that say the part .* found none. Next: give a table"):
        quick(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="expected pictures, NIfTI volumes or DICOM files, found nothing"):
        quick(tmp_path / "empty")
    (tmp_path / "empty" / "train-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match=r"Next: audit\(datasets.load_dataset\(folder\)\)"):
        quick(tmp_path / "empty")
    with pytest.raises(NotThereError, match=r"Did you mean 'pictures'\?"):
        quick(tmp_path / "picturs")


def test_one_part_alone_and_files_in_none(tmp_path: Path) -> None:
    write_files(
        tmp_path / "x", cohort(), lambda shot: f"{shot.split}/{shot.name}" if shot.split == "train" else shot.name
    )
    report = quick(tmp_path / "x")
    assert told(report, "one part alone")
    assert told(report, "file in no part")[0][2] == 2


def test_damaged_pictures_are_counted_and_named_and_the_rest_is_audited(folder: Path) -> None:
    (folder / "p1.png").write_bytes((folder / "p1.png").read_bytes()[:200])
    (folder / "p2.png").write_bytes(b"")
    (folder / "p3.png").write_bytes(b"no picture at all")
    report = quick(folder, split=ROWS)
    assert [where for where, _, _ in told(report, "cannot be read")] == ["p1.png", "p2.png", "p3.png"]
    assert (report.leaks, report.pictures) == (1, 4)
    assert "cannot be read: p1.png" in str(report)


def test_a_decompression_bomb_is_a_damaged_picture(folder: Path) -> None:
    side = 30_000

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1 << 20))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (folder / "p1.png").write_bytes(bomb)
    report = quick(folder, split=ROWS)
    assert "900000000 pixels" in told(report, "cannot be read")[0][1]
    assert report.leaks == 1


def test_pipes_links_and_loops(tmp_path: Path) -> None:
    shots = cohort("same bytes")
    write_files(tmp_path / "store", shots)
    for shot in shots:
        place = tmp_path / "split" / shot.split / shot.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(tmp_path / "store" / shot.name)
    (tmp_path / "split" / "train" / "loop").symlink_to(tmp_path / "split")
    (tmp_path / "split" / "train" / "self").symlink_to(".")
    os.mkfifo(tmp_path / "split" / "test" / "pipe.png")
    report = quick(tmp_path / "split")
    assert report.leaks == 1
    assert "found a device, a pipe or a socket" in told(report, "cannot be read")[0][1]


def test_names_that_are_no_text_or_control_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shots = cohort("same bytes")
    write_files(tmp_path / "x", shots, lambda shot: f"{shot.split}/{shot.name}")
    os.rename(tmp_path / "x/train/p0.png", os.fsencode(tmp_path / "x/train") + b"/\xff\x1b[2Jodd\n.png")
    assert main(["audit", str(tmp_path / "x"), "--level", "quick"]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "test/again.png (test) and train/\\udcff\\x1b[2Jodd\\n.png (train)" in said
    for option in (["--json"], ["--html", str(tmp_path / "p.html")], ["--no-leaks", str(tmp_path / "n.csv")]):
        assert main(["audit", str(tmp_path / "x"), "--level", "quick", *option]) == 0
    assert not audit(tmp_path / "x", split=tmp_path / "n.csv", level="quick").leaks


def test_masks_and_what_is_no_picture_are_left_out_and_counted(tmp_path: Path) -> None:
    write_files(tmp_path, cohort(), lambda shot: f"{shot.split}/{shot.name}")
    write_files(tmp_path, cohort(), lambda shot: f"{shot.split}/masks/{shot.name}")
    (tmp_path / "notes.txt").write_text("x")
    report = quick(tmp_path)
    assert (report.leaks, report.pictures) == (0, 6)
    assert {what for _, what, _ in told(report, "file left out")} == {"6 masks", "1 of .txt, no picture or volume"}


# --- what else


def test_shards_that_are_damaged_or_say_no_part(tmp_path: Path) -> None:
    folder = write_shards(tmp_path / "shards", cohort())
    (folder / "train-000.tar").rename(folder / "000.tar")
    with pytest.raises(UsageError, match="000.tar/p0.png: expected the part of the split in the name of the tar file"):
        quick(folder)
    (folder / "000.tar").rename(folder / "train-000.tar")
    data = (folder / "train-000.tar").read_bytes()
    (folder / "train-000.tar").write_bytes(data[: len(data) // 2])
    with pytest.raises(CovidDatasetsError, match="train-000.tar"):
        quick(folder)
    with pytest.raises(NotThereError, match="expected a tar file, found nothing"):
        quick(str(folder / "test-{000..001}.tar"))


def test_a_huge_member_of_a_shard_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_shards(tmp_path, cohort())
    header = tarfile.TarInfo("huge.png")
    header.size = 1 << 45
    (tmp_path / "train-001.tar").write_bytes(header.tobuf() + bytes(10240))
    with pytest.raises(CovidDatasetsError, match="huge.png|train-001.tar"):
        quick(tmp_path)


def test_shards_with_odd_json(tmp_path: Path) -> None:
    write_shards(tmp_path, cohort("same bytes"))
    with tarfile.open(tmp_path / "train-001.tar", "w") as tar:
        for name, content in (("x.png", cohort()[0].encoded()), ("x.json", b"[" * 100_000), ("y.json", b"{}")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    report = quick(tmp_path)
    assert report.leaks == 2
    assert told(report, "sample without a picture")


def test_hugging_face_without_parts_pictures_or_rows() -> None:
    datasets = pytest.importorskip("datasets")
    with pytest.raises(ColumnMissingError, match="expected parts of a split, found none"):
        audit(datasets.Dataset.from_dict({"file": ["a"], "label": [1]}))
    report = audit(datasets.Dataset.from_dict({"file": ["a", "b"], "split": ["x", "y"], "patient": [1, 1]}))
    assert (report.leaks, report.pairs[0].kind) == (1, "patient")
    assert told(report, "no pictures")


def test_arguments_are_checked_first(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"level: expected quick or thorough, found 'quik'. Did you mean 'quick'\?"):
        audit(folder, split=ROWS, level="quik")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="expected a scheme of ours or a table of your own, found both"):
        audit("phantom", "official", split=ROWS)
    with pytest.raises(UnknownDatasetError):
        audit("picturs", cache_dir=tmp_path)
    with pytest.raises(UsageError, match="found int"):
        audit(7)
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(UsageError, match="found another file"):
        audit(tmp_path / "notes.md")
    monkeypatch.chdir(folder.parent)
    assert quick("pictures", split=ROWS).leaks == 1, "a folder that is here needs no ./"
    assert main(["audit", "pictures", "--split", "no.csv"]) == 1
    assert main(["audit", "pictures", "--column", "split"]) == 2


def test_a_class_that_is_not_in_every_part_is_told(folder: Path) -> None:
    rows = [row | {"label": "b" if row["split"] == "test" else "a"} for row in ROWS]
    report = quick(folder, split=rows)
    assert told(report, "class lacking") == [("train", "no row of b", 1), ("test", "no row of a", 1)]


def test_pictures_of_hugging_face_are_named_by_their_paths(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    write_files(tmp_path, cohort("same bytes"), lambda shot: f"{shot.split}/{shot.label}/{shot.name}")
    report = quick(datasets.load_dataset("imagefolder", data_dir=str(tmp_path), cache_dir=str(tmp_path / "cache")))
    (pair,) = report.pairs
    assert [Path(name).name for name in (pair.first, pair.second)] == ["p0.png", "again.png"]
    assert set(report.parts["train"].labels) == {"a", "b"}


def test_paths_of_a_table_are_from_where_it_lies_or_from_here(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_csv(tmp_path / "lists" / "my.csv", cohort("near-duplicate"))
    assert quick(table).pictures == 0
    monkeypatch.chdir(folder)
    assert quick(table).pictures == 7


def test_two_links_to_one_folder_are_two_parts_with_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / "linked" / part).mkdir(parents=True)
        (tmp_path / "linked" / part / "all").symlink_to(folder)
    report = quick(tmp_path / "linked")
    assert report.rows == {"test": 7, "train": 7}
    assert {pair.kind for pair in report.pairs} == {"same bytes", "near-duplicate"}


def test_parts_that_differ_in_case_alone_are_one(folder: Path) -> None:
    rows = [row | {"split": row["split"].upper() if number % 2 else row["split"]} for number, row in enumerate(ROWS)]
    assert set(quick(folder, split=rows).rows) == {"train", "test"}


def test_columns_are_those_of_the_table(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"file": ["a", "b"], "split": ["x", "y"], "patient": [1, 1]})
    own = [{"file": "a", "mine": "train"}, {"file": "b", "mine": "train"}]
    assert quick(rows, split=own, columns={"split": "mine"}).rows == {"train": 2}


def test_polars(folder: Path) -> None:
    polars = pytest.importorskip("polars")
    assert quick(folder, split=polars.DataFrame(ROWS)).leaks == 1
