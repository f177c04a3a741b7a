"""Folders of DICOM without what says whose they are: what is written, left out, reported, secret, and gone on with."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pydicom")

from covid_datasets import OwnData, deidentify, load_dataset
from covid_datasets.cli import main
from covid_datasets.errors import DamagedFileError, UsageError
from tests.dicom import ct, radiograph
from tests.own.deidentified import DEEP, NAME, PIXELS, cohort, everything, rewritten, tree, written


def test_no_name_of_a_file_or_a_folder_survives(tmp_path: Path) -> None:
    files = {
        f"{NAME}/{NAME}_{place}.dcm": ct(
            PIXELS + place, (0, 0, place), PatientName=f"{NAME}^Jane", PatientID="4711-0815"
        )
        for place in range(3)
    }
    files |= {f"{NAME}/{NAME}.pdf": b"%PDF", f"{NAME}.broken.dcm": ct(PIXELS, PatientName=NAME)[:400]}
    done = deidentify(tree(tmp_path / "in", files), tmp_path / "out")
    found = everything(tmp_path / "out")
    assert NAME.encode().lower() not in found.lower()
    assert b"4711-0815" not in found
    assert done.files == 3
    assert sorted(left.why.partition(":")[0] for left in done.left_out) == [f"{NAME}.broken.dcm", "no DICOM file"]


def test_what_was_cleaned_loads_as_data_of_ones_own(tmp_path: Path) -> None:
    done = deidentify(cohort(tmp_path / "in"), tmp_path / "out")
    rows = load_dataset(
        OwnData(str(done.out)), split="all", framework="numpy", cache_dir=str(tmp_path / "cache"), num_proc=1
    )
    assert len(rows) == 6
    people = {rows[number]["patient_id"].partition("/")[2] for number in range(6)}
    assert people == {path.name for path in done.out.iterdir()} - {"report"}
    assert not any("headers_may_identify" in rows[number]["flags"] for number in range(6))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = cohort(tmp_path / "in")
    (source / f"{NAME}.txt").write_text("notes")
    assert main(["deidentify", str(source), str(tmp_path / "out"), "--keep-map"]) == 0
    said = capsys.readouterr().out
    assert "6 images of 2 patients" in said
    assert f"{NAME}.txt: no DICOM file" in said
    assert main(["deidentify", str(source), str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["files"], told["patients"], len(told["left_out"])) == (6, 2, 1)
    assert main(["deidentify", str(source), str(source / "out")]) == 2


@pytest.mark.parametrize(
    "kind",
    ["1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.481.3", "1.2.3", None],
)
def test_what_is_mostly_text_is_left_out(kind: str | None, tmp_path: Path) -> None:
    data = rewritten(ct(PIXELS), lambda found: setattr(found, "SOPClassUID", kind or ""))
    done = deidentify(tree(tmp_path / "in", {"a.dcm": data}), tmp_path / "out")
    assert (done.files, len(done.left_out)) == (0, 1)
    assert "no image of a class" in done.left_out[0].why


def test_text_in_pixels(tmp_path: Path) -> None:
    folder = tree(
        tmp_path / "in",
        {
            "yes.dcm": radiograph(DEEP, BurnedInAnnotation="YES", SOPInstanceUID="1.1"),
            "may.dcm": radiograph(DEEP, SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="1.2"),
            "no.dcm": radiograph(DEEP, BurnedInAnnotation="NO", SOPInstanceUID="1.3"),
        },
    )
    done = deidentify(folder, tmp_path / "out")
    assert done.files == 2
    assert [left.why.partition(":")[0] for left in done.left_out] == ["BurnedInAnnotation is YES"]
    assert {what.partition(":")[0]: len(files) for what, files in done.warnings.items()} == {
        "its pixels may hold text": 1
    }
    more = deidentify(folder, tmp_path / "out", keep_burned_in=True)
    assert more.files == 3
    assert any("its pixels hold text" in what for what in more.warnings)
    fewer = deidentify(folder, tmp_path / "out")
    assert fewer.files == len(list((tmp_path / "out").rglob("*.dcm"))) == 2


@pytest.mark.parametrize("size", [140, 300, 700, -100])
def test_a_damaged_file_is_left_out(size: int, tmp_path: Path) -> None:
    done = deidentify(tree(tmp_path / "in", {"a.dcm": ct(PIXELS)[:size]}), tmp_path / "out")
    assert (done.files, len(done.left_out)) == (0, 1)
    assert not list((tmp_path / "out").rglob("*.dcm"))


def test_a_folder_stays_as_it_was_and_its_people_stay_together(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in")
    before = everything(source)
    done = deidentify(source, tmp_path / "out", keep_map=True)
    assert everything(source) == before
    assert (done.files, done.patients) == (6, 2)
    found = written(tmp_path / "out")
    assert {name.split("/")[0] for name in found} == {scan.PatientID for scan in found.values()}
    assert len({scan.SeriesInstanceUID for scan in found.values()}) == 2
    people = list(csv.DictReader((done.secret / "people.csv").open(encoding="utf-8")))
    assert {row["pseudonym"] for row in people} == {scan.PatientID for scan in found.values()}
    assert {row["patient"] for row in people} == {"number Hospital-00000", "number Hospital-00001"}
    assert stat.S_IMODE(done.secret.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in done.secret.iterdir()} == {0o600}


def test_the_report_says_every_change_and_no_value(tmp_path: Path) -> None:
    deidentify(cohort(tmp_path / "in"), tmp_path / "out")
    report = tmp_path / "out" / "report"
    files = list(csv.DictReader((report / "files.csv").open(encoding="utf-8")))
    changes = list(csv.DictReader((report / "changes.csv").open(encoding="utf-8")))
    assert {row["file"] for row in files} == set(written(tmp_path / "out"))
    assert {row["kind"] for row in files} == {row["kind"] for row in changes}
    said = {(row["attribute"], row["what"]) for row in changes}
    assert {("PatientName", "pseudonym"), ("StudyDate", "moved"), ("SOPInstanceUID", "another UID")} <= said
    summary = json.loads((report / "summary.json").read_text(encoding="utf-8"))
    assert (summary["files"], summary["patients"], summary["left_out"]) == (6, 2, 0)
    assert {"attribute": "PatientName", "what": "pseudonym", "files": 6} in summary["changes"]
    text = everything(report)
    assert not any(value in text for value in (NAME.encode(), b"Hospital", b"20200310", b"1.9."))


def test_the_same_call_again_writes_nothing(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in")
    deidentify(source, tmp_path / "out")
    state = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")}
    report = everything(tmp_path / "out")
    done = deidentify(source, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.dcm")} == state
    assert everything(tmp_path / "out") == report
    assert done.files == 6


def test_files_that_come_later_get_the_same_names(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", slices=2)
    first = deidentify(source, tmp_path / "out")
    cohort(source, slices=3)
    second = deidentify(source, tmp_path / "out")
    assert (first.files, second.files, second.patients) == (4, 6, 2)
    assert len({scan.SeriesInstanceUID for scan in written(tmp_path / "out").values()}) == 2
    other = deidentify(cohort(tmp_path / "more", slices=1), tmp_path / "out2", secret=first.secret)
    assert {path.name for path in (tmp_path / "out2").iterdir()} == {path.name for path in first.out.iterdir()}
    assert other.files == 2


def test_two_files_of_one_image(tmp_path: Path) -> None:
    scan = ct(PIXELS, PatientID="P1")
    files = {"a.dcm": scan, "b.dcm": scan, "c.dcm": ct(PIXELS + 1, PatientID="P1")}
    source = tree(tmp_path / "in", files)
    for _ in range(2):
        done = deidentify(source, tmp_path / "out")
        assert done.files == len(written(tmp_path / "out")) == 2
        assert [Path(left.path).name for left in done.left_out] == ["b.dcm"]
        assert "the same image as" in done.left_out[0].why
    (source / "b.dcm").touch()
    os.utime(source / "a.dcm", ns=(1, 1))
    assert deidentify(source, tmp_path / "out").files == len(written(tmp_path / "out")) == 2


def test_what_was_left_out_is_tried_again(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", patients=1, slices=1)
    whole = (source / "p0/s0.dcm").read_bytes()
    (source / "p0/s0.dcm").write_bytes(bytes(132) + whole[132:])
    time = (source / "p0/s0.dcm").stat().st_mtime_ns
    assert deidentify(source, tmp_path / "out").files == 0
    (source / "p0/s0.dcm").write_bytes(whole)
    os.utime(source / "p0/s0.dcm", ns=(time, time))
    assert deidentify(source, tmp_path / "out").files == 1


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", patients=1, slices=1)
    (tmp_path / "elsewhere.dcm").write_bytes(ct(PIXELS, PatientID="P7"))
    (source / "link.dcm").symlink_to(tmp_path / "elsewhere.dcm")
    (source / "loop").symlink_to(source)
    assert deidentify(source, tmp_path / "out").files == 1


def test_folders_in_one_another_are_refused(tmp_path: Path) -> None:
    source = cohort(tmp_path / "in", patients=1, slices=1)
    before = everything(source)
    for out, secret in (("in/out", None), ("in", None), ("out", "in/secret"), ("out", "out/secret"), (".", "s")):
        with pytest.raises(UsageError, match="three folders beside each other"):
            deidentify(source, tmp_path / out, secret=secret and tmp_path / secret)
    assert everything(source) == before
    with pytest.raises(UsageError, match="expected a folder, found nothing"):
        deidentify(tmp_path / "absent", tmp_path / "out")


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="expected a new or empty folder"):
        deidentify(cohort(tmp_path / "in"), tmp_path / "out")


@pytest.mark.parametrize("where", ["out", "secret"])
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path, where: str) -> None:
    tree(tmp_path, {where: b"notes"})
    with pytest.raises(UsageError, match="expected a folder, or nothing, found a file"):
        deidentify(cohort(tmp_path / "in", 1, 1), tmp_path / "out", secret=tmp_path / "secret")


def test_a_secret_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    kept = tree(tmp_path / "s", {"key": bytes(32)})
    kept.chmod(0o755)
    (kept / "key").chmod(0o644)
    deidentify(cohort(tmp_path / "in", 1, 1), tmp_path / "out", secret=kept)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE((kept / "key").stat().st_mode) == 0o600


def test_the_secret_of_the_folder_where_one_is_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, here = cohort(tmp_path / "in", 1, 1), tmp_path / "out"
    here.mkdir()
    monkeypatch.chdir(here)
    assert deidentify(source, ".").secret == tmp_path / "out.secret"
    assert len(written(here)) == 1


def test_one_name_in_two_spellings_is_one_patient(tmp_path: Path) -> None:
    files = {
        f"{number}.dcm": ct(
            PIXELS, PatientID=None, PatientName=name, PatientBirthDate="19561103", SOPInstanceUID=f"1.{number}"
        )
        for number, name in enumerate(["Doe^Jane", "DOE^JANE", "Doe^Jane^^^ ", "Doe^John"])
    }
    assert deidentify(tree(tmp_path / "in", files), tmp_path / "out").patients == 2


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "key").write_bytes(b"short")
    with pytest.raises(DamagedFileError, match="expected 32 bytes of a key, found 5"):
        deidentify(cohort(tmp_path / "in"), tmp_path / "out", secret=tmp_path / "s")


KILLED = """
import os, sys
from covid_datasets.own.deidentify import folder
import covid_datasets
real, left = folder.write_file, [int(sys.argv[3])]
def write(path, data):
    left[0] -= 1
    if left[0] < 0:
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".x.dcm.0123.part").write_bytes(data[:50])
        os.kill(os.getpid(), 9)
    real(path, data)
folder.write_file = write
covid_datasets.deidentify(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_killed_call_goes_on(tmp_path: Path, after: int) -> None:
    source, out = cohort(tmp_path / "in"), tmp_path / "out"
    command = [sys.executable, "-c", KILLED, str(source), str(out), str(after)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == -9
    assert len(written(out)) == after
    with (tmp_path / "out.secret" / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"path": "torn')
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.dcm") if not path.name.startswith(".")}
    done = deidentify(source, out)
    assert done.files == len(written(out)) == 6
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was whole is not made again"
    assert not list(out.rglob(".*"))
    straight = deidentify(source, tmp_path / "again", secret=done.secret)
    assert everything(straight.out) == everything(out)
    assert deidentify(source, out).files == 6
