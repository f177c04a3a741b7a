"""Whatever a source gets wrong has one clear outcome, in the report or as an error, and no image is lost silently.

The trees are those of ``cohen`` and ``covid_ct`` in true layout, then broken; their cards are used without the hashes
of the real files, so that phantom pictures pass for them.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.taxonomy import classify
from covid_datasets.errors import (
    ColumnMissingError,
    DamagedFileError,
    IncompleteSourceError,
    InvalidRecordError,
    UnsafeArchiveError,
)
from covid_datasets.harmless import code, markdown
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from tests.measure.test_image import huge_png
from tests.raw.test_archives import zip_of
from tests.sources import chest
from tests.sources import cohen as cohen_source
from tests.sources import covid_ct as covid_ct_source
from tests.tiny import BUILDER, CARD, VERSION, at_most_a_clear_error, card_without_proofs, installed

IMAGE = "images/ARDSSevere.png"


@pytest.fixture(autouse=True)
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cards = {name: card_without_proofs(name) for name in ("cohen", "covid_ct")}
    version = VERSION.replace('manifest = "tiny.tsv"\n', "")
    with installed(tmp_path / "package", monkeypatch, cards | {"tiny": CARD + version}, {"tiny": BUILDER}):
        yield


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    cohen_source.write(tmp_path / "tree")
    return tmp_path / "tree"


def build(tree: Path, name: str = "cohen", *, allow_missing: bool = True) -> Built:
    return build_dataset(name, data_dir=tree, allow_missing=allow_missing, num_proc=1)


def told(built: Built, kind: str) -> dict[str, str]:
    """What the manifest says of one kind, by where; the report for people must say the same."""
    found = {notice["where"]: notice["what"] for notice in built.manifest()["notices"] if notice["kind"] == kind}
    report = built.report()
    assert all(f"- {code(where)}: {markdown(what)}" in report for where, what in found.items())
    assert not found or f": {kind} (" in report
    return found


def kept(built: Built) -> set[str]:
    return {sample.removeprefix(f"{built.id}/") for sample in Index.read(built.path).texts("sample_id")}


def listed(tree: Path) -> set[str]:
    """Every image that the table names, and every one that lies in the folder."""
    text = (tree / "metadata.csv").read_text(encoding="utf-8")
    return {row["filename"] for row in csv.DictReader(io.StringIO(text))} | {
        p.name for p in (tree / "images").iterdir()
    }


def assert_nothing_lost(built: Built, names: set[str]) -> None:
    dropped = [notice for notice in built.manifest()["notices"] if notice["dropped"]]
    assert kept(built) | {Path(notice["where"]).name for notice in dropped} >= names
    assert built.rows == len(kept(built))
    assert built.dropped == len(dropped)
    assert built.rows + built.dropped == len(names)


def edit(tree: Path, old: str, new: str, name: str = "metadata.csv") -> None:
    text = (tree / name).read_bytes().decode()
    assert old in text
    (tree / name).write_bytes(text.replace(old, new, 1).encode())


def test_the_tree_as_it_is(tree: Path) -> None:
    built = build(tree, allow_missing=False)
    assert (built.rows, built.dropped, built.incomplete) == (13, 2, False)
    assert_nothing_lost(built, listed(tree))


# --- images -------------------------------------------------------------------------------------------------------

BAD_IMAGES = {
    "truncated": (chest(1, modality="CXR")[:3000], "undecodable (poor)", "not a whole image"),
    "zero bytes": (b"", "empty file", "expected an image, found 0 bytes"),
    "20000x20000": (huge_png(20_000, 20_000), "undecodable (poor)", "limit"),
    "a web page": (b"<html>quota exceeded</html>", "undecodable (poor)", "beginning b'<html>"),
    "no format for us": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "undecodable (poor)", "not a whole image"),
}


@pytest.mark.parametrize(("data", "kind", "said"), BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_an_image_that_is_none_is_dropped_and_told(tree: Path, data: bytes, kind: str, said: str) -> None:
    (tree / IMAGE).write_bytes(data)
    built = build(tree)
    assert said in told(built, kind)[IMAGE]
    assert "ARDSSevere.png" not in kept(built)
    assert built.incomplete
    assert built.report().splitlines()[2].startswith("**INCOMPLETE")
    assert_nothing_lost(built, listed(tree))
    with pytest.raises(IncompleteSourceError) as error:
        build(tree, allow_missing=False)
    assert f"{IMAGE}: {kind}: " in str(error.value)
    assert "1 of 13 images are missing or damaged" in str(error.value)
    assert "--allow-missing" in str(error.value)


def test_a_missing_image_is_told(tree: Path) -> None:
    names = listed(tree)
    (tree / IMAGE).unlink()
    built = build(tree)
    assert told(built, "missing file") == {IMAGE: "listed by the source, but the file is not there"}
    assert_nothing_lost(built, names)


def test_a_file_with_a_wrong_hash_is_dropped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: Path
) -> None:
    files = {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    other = chest(9, modality="CXR")
    (tree / IMAGE).write_bytes(other + bytes(max(0, len(files[IMAGE]) - len(other))))
    text = (catalog_folder() / "cohen.toml").read_text()
    assert text.count('name = "2020-06-22"\n') == 1
    text = text.replace('name = "2020-06-22"\n', 'name = "2020-06-22"\nmanifest = "tiny.tsv"\n')
    with installed(tmp_path / "proven", monkeypatch, {"cohen": text}, files=files):
        built = build(tree)
    assert "expected sha256" in told(built, "changed or damaged")[IMAGE]
    assert_nothing_lost(built, listed(tree))


def test_a_damaged_member_of_an_archive_is_dropped_and_told(tmp_path: Path) -> None:
    archive = bytearray(zip_of(GOOD, zipfile.ZIP_STORED))
    archive[archive.index(GOOD["a.png"]) + 100] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(archive)
    built = build(tmp_path / "x.zip", "tiny")
    assert "x.zip: member 'a.png' is damaged (Bad CRC-32" in told(built, "damaged file")["a.png"]
    assert (kept(built), built.dropped) == ({"b.png"}, 1)


def test_a_damaged_mask_is_told_and_its_image_stays(tree: Path) -> None:
    mask = "annotations/lungVAE-masks/ARDSSevere_mask.png"
    (tree / mask).write_bytes(b"")
    built = build(tree, allow_missing=False)
    assert told(built, "mask not usable") == {mask: "expected an image, found 0 bytes"}
    assert_nothing_lost(built, listed(tree))


# --- tables -------------------------------------------------------------------------------------------------------


def test_a_broken_row_is_told_and_the_others_stay(tree: Path) -> None:
    names = listed(tree)
    lines = (tree / "metadata.csv").read_bytes().decode().split("\n")
    at = next(number for number, line in enumerate(lines) if "ARDSSevere.png" in line)
    lines[at] = lines[at].split(",COVID", 1)[0][:20]
    (tree / "metadata.csv").write_bytes("\n".join(lines).encode())
    built = build(tree)
    (where,) = told(built, "broken row")
    assert where == f"metadata.csv line {at + 1}"
    assert told(built, "file not in the table")[IMAGE] == "metadata.csv does not list it"
    assert kept(built) | {"ARDSSevere.png", cohen_source.STRAY} == names - {cohen_source.ROWS[-1]["filename"]}


def test_a_renamed_column_is_named_with_the_nearest(tree: Path) -> None:
    edit(tree, "patientid,", "patient_id,")
    with pytest.raises(
        ColumnMissingError, match=r"metadata\.csv: expected a column 'patientid', found 'patient_id', .*"
    ):
        build(tree)
    edit(tree, "patient_id,", "Patientid,")  # a name that it had once
    assert build(tree).rows == 13


def test_text_that_is_not_utf8_is_read_and_told(tree: Path) -> None:
    data = (tree / "metadata.csv").read_bytes()
    (tree / "metadata.csv").write_bytes(data.replace(b"D?Ettorre", "D’Ettorre".encode("cp1252")))
    built = build(tree, allow_missing=False)
    assert "0x92" in told(built, "text not UTF-8")["metadata.csv"]
    assert built.rows == 13


def test_an_unknown_finding_is_kept_without_a_label_and_told(tree: Path) -> None:
    edit(tree, "ARDS,", "Moon Fever,")
    built = build(tree, allow_missing=False)
    assert told(built, "unknown finding")[IMAGE].startswith(
        "finding 'Moon Fever': expected a spelling of catalogs/_taxonomy.toml, found a new one"
    )
    assert built.labels["unlabelled"] == 3
    assert_nothing_lost(built, listed(tree))


def test_a_patient_with_contradictory_labels_is_told_and_unchanged(tree: Path) -> None:
    edit(tree, '"COVID-19, ARDS"', "No Finding")
    assert {classify("COVID-19"), classify("No Finding")} == {"covid19", "no_finding"}
    built = build(tree, allow_missing=False)
    assert told(built, "patient with several labels") == {"cohen/2": "covid19 1, no_finding 1"}
    assert_nothing_lost(built, listed(tree))


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 50, b"<html>gone</html>"], ids=["empty", "noise", "a web page"])
def test_a_table_that_is_none_is_an_error_that_names_it(tree: Path, data: bytes) -> None:
    (tree / "metadata.csv").write_bytes(data)
    with pytest.raises((DamagedFileError, ColumnMissingError), match=r"metadata\.csv: expected a "):
        build(tree)


def test_a_damaged_workbook_is_named(tmp_path: Path) -> None:
    covid_ct_source.write(tmp_path / "ct")
    workbook = tmp_path / "ct" / "COVID-CT-MetaInfo.xlsx"
    workbook.write_bytes(workbook.read_bytes()[:3000])
    with pytest.raises(DamagedFileError, match=r"COVID-CT-MetaInfo\.xlsx: expected an Excel workbook"):
        build(tmp_path / "ct", "covid_ct")


# --- names and archives -------------------------------------------------------------------------------------------


def test_one_file_in_two_rows_is_one_sample_and_told(tree: Path) -> None:
    rows = (tree / "metadata.csv").read_text(encoding="utf-8")
    line = next(line for line in rows.splitlines() if "ARDSSevere.png" in line)
    (tree / "metadata.csv").write_text(
        rows + line.replace("ARDS,", "COVID-19,", 1) + "\n", encoding="utf-8", newline=""
    )
    built = build(tree, allow_missing=False)
    assert told(built, "row listed twice")[IMAGE].endswith(
        "the first counts; they differ in finding ('ARDS', 'COVID-19')"
    )
    assert_nothing_lost(built, listed(tree))


def test_one_name_in_two_folders_is_an_error_of_the_builder(tree: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other/ARDSSevere.png").write_bytes(chest(3, modality="CXR"))
    rows = (tree / "metadata.csv").read_text(encoding="utf-8")
    line = next(line for line in rows.splitlines() if "ARDSSevere.png" in line)
    (tree / "metadata.csv").write_text(rows + line.replace("images,", "other,", 1) + "\n", encoding="utf-8", newline="")
    with pytest.raises(InvalidRecordError, match=r"cohen: sample id 'ARDSSevere\.png' was yielded twice"):
        build(tree)


@pytest.mark.parametrize("evil", ["../evil.png", "/etc/evil.png", "..\\evil.png"])
def test_an_archive_with_an_evil_path_is_refused_whole(tmp_path: Path, evil: str) -> None:
    (tmp_path / "x.zip").write_bytes(zip_of({"list.csv": b"file,patient,finding\n", evil: b"x"}))
    with pytest.raises(UnsafeArchiveError, match=r"x\.zip: member .*evil\.png' points outside"):
        build(tmp_path / "x.zip", "tiny")
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize("name", ["../outside.png", "/etc/passwd", "a\0b.png", "x" * 4000, "images/"])
def test_a_table_cannot_name_files_outside(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.png").write_bytes(chest(1))
    data = tmp_path / "data"
    data.mkdir()
    (data / "in.png").write_bytes(chest(2))
    (data / "list.csv").write_text(f"file,patient,finding\nin.png,1,COVID-19\n{name},2,COVID-19\n")
    built = build(data, "tiny")
    assert kept(built) == {"in.png"}
    assert built.dropped == 1


def test_not_one_image_is_an_error_also_when_asked_for_less(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "list.csv").write_text("file,patient,finding\ngone.png,1,COVID-19\n")
    with pytest.raises(IncompleteSourceError, match=r"gone\.png: missing file"):
        build(tmp_path / "data", "tiny")


# --- anything at all ----------------------------------------------------------------------------------------------

LIST = b"file,patient,finding\na.png,1,COVID-19\nb.png,2,No Finding\n"
GOOD = {"list.csv": LIST, "a.png": chest(1, size=(96, 96)), "b.png": chest(2, size=(96, 96))}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.sampled_from(sorted(GOOD)),
    place=st.floats(0, 1, exclude_max=True),
    new=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
    packed=st.booleans(),
)
def test_any_damage_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, which: str, place: float, new: bytes, cut: bool, packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    files = {name: bytearray(data) for name, data in GOOD.items()}
    archive = bytearray(zip_of(GOOD))
    broken = archive if packed else files[which]
    at = int(place * len(broken))
    broken[at : len(broken) if cut else at + len(new)] = new
    if packed:
        (folder / "x.zip").write_bytes(archive)
    else:
        for name, data in files.items():
            (folder / name).write_bytes(data)
    with at_most_a_clear_error():
        built = build_dataset("tiny", data_dir=folder, cache_dir=folder / ".cache", allow_missing=True, num_proc=1)
        if which != "list.csv" and not packed:  # else the damage may have changed the names
            assert kept(built) <= set(GOOD)
            assert built.rows + built.dropped == 2
