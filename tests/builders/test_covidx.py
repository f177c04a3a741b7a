"""COVIDx: every list of every version, what its parts say about it, and parts that are absent, renamed or damaged."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from covid_datasets.builders import covidx

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.published import read_identities
from covid_datasets.errors import IncompleteSourceError, NotThereError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.splits import audit_build
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.plan import full_patient_id
from covid_datasets.prepare.result import Built
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Record
from tests.builders.test_builders import MIRROR, needs_mirror
from tests.small import SmallSources
from tests.sources.actualmed import CR, CR_NEGATIVE, DX
from tests.sources.covidx import FLAT_PLATE, HELD_OUT, LATER, LISTS, TYPO, UIDS, VERSIONS

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
HANNOVER, TODO = "cohen/b343e657.jpg", "cohen/2b327d8b7523701d3bfc55f6eaccbf_jumbo.jpeg"
every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def tree(small: SmallSources, tmp_path: Path) -> Path:
    """A tree of one's own, to break."""
    shutil.copytree(small.tree("covidx"), tmp_path / "tree")
    return tmp_path / "tree"


def enumerated(tree: Path, version: str) -> tuple[dict[str, Record], list[Notice]]:
    found = list(covidx.records(RawTree.of_folder(tree, version=version)))
    records = [item for item in found if isinstance(item, Record)]
    assert len({record.sample_id for record in records}) == len(records)
    return {record.sample_id: record for record in records}, [item for item in found if isinstance(item, Notice)]


def built(tree: Path, cache: Path, version: str = "9A", *, allow_missing: bool = True) -> Built:
    return build_dataset(
        f"covidx@{version}", data_dir=tree, cache_dir=cache, allow_missing=allow_missing, num_proc=1, offline=True
    )


def notices(built: Built, kind: str) -> dict[str, str]:
    return {note["where"]: note["what"] for note in built.manifest()["notices"] if note["kind"] == kind}


# --- the lists -----------------------------------------------------------------------------------------------------


@every_version
def test_every_version_is_read(small: SmallSources, version: str) -> None:
    records, notices = enumerated(small.tree("covidx"), version)
    assert not {notice.kind for notice in notices} & {"broken row", "unknown source", "unknown finding"}
    assert {record.official_split for record in records.values()} == {"train", "test"}
    listed = {sample.split("/")[0] for sample in records}
    card = load_card("covidx")
    assert listed == {part.name for part in card.choice(version).resources} - {"lists", "ready"}
    assert {record.label for record in records.values()} <= {"covid19", "no_finding", "pneumonia", "not_covid19", None}


@needs_mirror
@every_version
def test_the_published_lists_are_what_the_card_expects(version: str) -> None:
    """The parts need not be there: which pictures a version has, and most of their labels, the lists alone say."""
    from covid_datasets.raw.kinds.archive import ManifestMount
    from covid_datasets.raw.mounts import TreeMount

    archive = MIRROR / f"github.com/lindawangg/COVID-Net/archive/{LISTS}.zip"
    raw = RawTree((ManifestMount(TreeMount((str(archive),), f"COVID-Net-{LISTS}/"), "covidx-lists.tsv"),), version)
    found = list(covidx.records(raw))
    records = [item for item in found if isinstance(item, Record)]
    expected = load_card("covidx").versions[version]
    assert len(records) == expected.images
    unknown = {sample for sample, (_, flags) in read_identities("covidx").items() if "patient_unknown" in flags}
    known = {record.patient for record in records if record.sample_id not in unknown} - {None}
    assert len(known) == expected.patients
    labels = Counter(record.label for record in records)
    assert {label: labels[label] for label in expected.labels} == expected.labels
    rows, told = zip(*(covidx.read_list(raw, f"labels/{split}_COVIDx{version.removeprefix('1')}.txt", split)
                       for split in ("train", "test")), strict=True)  # fmt: skip
    assert not [notice for notices in told for notice in notices if notice.dropped]
    train, test = (Counter(row.label for row in part) for part in rows)
    counts = ", ".join(f"{count:,}" for count in (train.total(), test.total()))
    assert all(number in expected.note for number in counts.split(", ")), "the note on the card has both counts"


def test_rows_that_do_not_say_their_source(small: SmallSources) -> None:
    records, _ = enumerated(small.tree("covidx"), "2")
    assert f"rsna/{UIDS[0]}.png" in records
    assert "fig1/COVID-00003a.jpg" in records
    assert "cohen/ARDSSevere.png" in records
    assert f"rsna/{HELD_OUT}.png" in enumerated(small.tree("covidx"), "3")[0]


def test_repeated_rows_are_one_record_and_told(small: SmallSources) -> None:
    records, notices = enumerated(small.tree("covidx"), "1")
    assert f"rsna/{UIDS[1]}.png" in records
    assert [(note.kind, note.count) for note in notices if "train_COVIDx" in note.where] == [("row listed twice", 2)]


def test_one_picture_of_two_ids_ties_the_two(small: SmallSources) -> None:
    record = enumerated(small.tree("covidx"), "4")[0]["cohen/000001-24.jpg"]
    assert record.patient == "cohen-285"
    assert {"patient:cohen-285", "patient:cohen-339"} <= set(record.ties)


def test_a_misspelt_source_is_merged_and_told(small: SmallSources) -> None:
    records, notices = enumerated(small.tree("covidx"), "9B")
    assert f"rsna/{TYPO}.png" in records
    assert [note.count for note in notices if note.kind == "misspelt source"] == [1]


# --- labels and patients -------------------------------------------------------------------------------------------


def test_negative_is_not_covid19_only_where_something_bears_it_out(small: SmallSources) -> None:
    records, _ = enumerated(small.tree("covidx"), "9B")
    negative = {
        sample: (record.label, record.flags) for sample, record in records.items() if record.label_raw == "negative"
    }
    assert negative[f"rsna/{UIDS[1]}.png"] == ("not_covid19", ())
    assert negative[f"actmed/{CR}"] == ("not_covid19", ())
    assert negative["cohen/ARDSSevere.png"] == ("not_covid19", ())
    assert negative[TODO] == (None, ("not_reviewed_in_part",))
    assert negative[f"cohen/{LATER}"] == (None, ("not_reviewed_in_part",))
    assert negative[f"actmed/{CR_NEGATIVE}"] == (None, ("negative_of_covid19_patient",))
    assert "label_contradicted_by_part" in negative[HANNOVER][1]
    assert negative[HANNOVER][0] is None
    assert "no_finding" not in {label for label, _ in negative.values()}


def test_the_lists_label_stays_where_a_part_says_otherwise(tree: Path) -> None:
    table = tree / "cohen/metadata.csv"
    text = table.read_text(encoding="utf-8").replace("219,0,M,,COVID-19", "219,0,M,,No Finding")
    table.write_text(text, encoding="utf-8", newline="")
    record = enumerated(tree, "9A")[0][HANNOVER]
    assert (record.label, record.label_raw) == ("covid19", "COVID-19")
    assert "label_contradicted_by_part" in record.flags
    assert record.source_row["cohen"]["finding"] == "No Finding"


def test_ids_of_pictures_are_no_patients(small: SmallSources) -> None:
    records, _ = enumerated(small.tree("covidx"), "9A")
    for part in ("rsna", "sirm"):
        groups = {full_patient_id("covidx", record) for sample, record in records.items() if sample.startswith(part)}
        assert groups == {f"covidx/part:{part}"}
    assert {record.patient for sample, record in records.items() if "COVID-00003" in sample} == {"fig1-COVID-00003"}
    assert records["cohen/000016.jpg"].patient == "cohen-311a", "here a letter is another person"
    assert records[f"stonybrook/{FLAT_PLATE}"].flags == ("study_of_abdomen",)
    assert records[f"stonybrook/{FLAT_PLATE}"].study == "stonybrook-A299123-01-03-1901-60204"


def test_what_the_parts_know_is_joined(small: SmallSources) -> None:
    records, _ = enumerated(small.tree("covidx"), "9A")
    first = records["cohen/auntminnie-a-2020_01_28_23_51_6665_2020_01_28_Vietnam_coronavirus.jpeg"]
    assert (first.age, first.sex, first.view) == (65, "M", "PA")
    assert first.severity_scores == {"geographic_extent": 2.3333333333333335, "opacity": 1.3333333333333333}
    assert records[HANNOVER].severity_scores == {}, "a row of the table without a score"
    assert records["cohen/ARDSSevere.png"].masks["lung"].path == "cohen/annotations/lungVAE-masks/ARDSSevere_mask.png"
    assert records[f"actmed/{DX}"].severity_scores == {"geographic_extent": 4.0, "opacity": 8.0}
    assert (records["fig1/COVID-00003a.jpg"].age, records["fig1/COVID-00003a.jpg"].offset_days) == (None, 4), "67+"
    assert (
        enumerated(small.tree("covidx"), "Sev")[0]["ricord/MIDRC-RICORD-1C-419639-000238-46556-1.png"].severity
        == "level2"
    )


def test_the_audit_finds_the_person_in_train_and_test(small: SmallSources, tmp_path: Path) -> None:
    build = built(small.tree("covidx"), tmp_path, "7B")
    report = audit_build(build, "official")
    patients = next(finding for finding in report.findings if finding.kind == "patient")
    assert any("actmed-ANON191" in example for example in patients.examples)
    assert not audit_build(build, "patient").leaks


def test_groups_of_unknown_people_are_in_train(small: SmallSources) -> None:
    table = open_table(small.build("covidx")).select(["patient_id", "patient_known"]).to_pylist()
    unknown = {row["patient_id"] for row in table if not row["patient_known"]}
    assert {"covidx/part:rsna", "covidx/part:sirm", "covidx/article:10.3348/kjr.2020.0132"} == unknown
    loaded = load_dataset("covidx", cache_dir=small.cache, framework="numpy", allow_missing=True, offline=True)
    for split in ("validation", "test"):
        assert not {row["patient_id"] for row in loaded[split]} & {"covidx/part:rsna", "covidx/part:sirm"}


def test_the_same_pictures_in_cohen_stay_on_one_side(small: SmallSources) -> None:
    for name in ("cohen", "covidx"):
        small.build(name)
    loaded = load_dataset(
        ["cohen", "covidx"], cache_dir=small.cache, framework="numpy", allow_missing=True, offline=True
    )
    places: dict[str, set[str]] = {}
    sources: dict[str, set[str]] = {}
    for split, rows in loaded.items():
        for row in rows:
            for key in (row["patient_id"], row["sha256"]):
                places.setdefault(key, set()).add(split)
            sources.setdefault(row["sha256"], set()).add(row["dataset"])
    assert sum(found == {"cohen", "covidx"} for found in sources.values()) > 5, "byte by byte the same pictures"
    assert {key for key, splits in places.items() if len(splits) > 1} == set()


# --- parts that are absent -----------------------------------------------------------------------------------------


def test_absent_parts_are_told_once_each(tree: Path, tmp_path: Path) -> None:
    shutil.rmtree(tree / "stonybrook")
    (tree / f"rsna/{UIDS[0]}.png").unlink()
    (tree / f"rsna/{UIDS[1]}.png").unlink()
    with pytest.raises(IncompleteSourceError) as error:
        built(tree, tmp_path / "cache", allow_missing=False)
    for part in (
        "cohen: 9 of 9 listed pictures are there",
        "rsna: 3 of 5 listed pictures are there; to get the rest: Log in",
        "stonybrook: 0 of 2",
    ):
        assert part in str(error.value)
    build = built(tree, tmp_path / "cache")
    assert build.incomplete
    told = notices(build, "missing pictures")
    assert set(told) == {"rsna", "stonybrook"}
    assert told["stonybrook"].startswith("2 of 2 listed are not there, such as stonybrook/A223587")
    assert "FOLDER/stonybrook/" in told["stonybrook"]
    assert "component not present" not in {note["kind"] for note in build.manifest()["notices"]}, "not told twice"
    assert build.dropped == 4
    assert {part["name"]: part["missing"] for part in build.manifest()["shares"]}["rsna"] == 2
    assert "- stonybrook: 0 of 2 listed pictures are there" in build.report()


def test_it_builds_from_the_open_parts_alone(small: SmallSources, tmp_path: Path) -> None:
    build = build_dataset(
        "covidx",
        mirror=str(small.tree("covidx", "served")),
        cache_dir=tmp_path,
        allow_missing=True,
        num_proc=1,
        offline=True,
    )
    there = {part["name"] for part in build.manifest()["shares"] if not part["missing"]}
    assert there == {"fig1", "actmed"}, "a picture of cohen is in nobody's hands but ready's"
    assert set(notices(build, "missing pictures")) == {"cohen", "sirm", "rsna", "ricord", "stonybrook", "bimcv"}


def test_pictures_under_other_names_of_their_source(small: SmallSources) -> None:
    records, told = enumerated(small.tree("covidx"), "9A")
    assert records["sirm/COVID(2).png"].content.path == "sirm/COVID (2).png"  # type: ignore[union-attr]
    assert records["sirm/COVID(3).png"].content.path == "sirm/COVID-3.png"  # type: ignore[union-attr]
    assert records["sirm/COVID(3).png"].flags == ("number_of_newer_release",)
    assert records[f"cohen/{LATER}"].content.path == f"ready/train/{LATER}"  # type: ignore[union-attr]
    counts = {note.where: note.count for note in told if note.kind == "picture not in the list"}
    assert counts["sirm/"] == counts["ready/"] == 1
    assert [note.where for note in told if note.kind == "DICOM not read"] == ["rsna/"]


# --- bad input -----------------------------------------------------------------------------------------------------


BAD = {
    "only-a-name": ("broken row", "expected patient, file, label and source"),
    "7 ../../etc/passwd positive cohen": ("broken row", "expected patient, file, label and source"),
    "7 a.png positive mars": ("unknown source", "expected one of cohen, fig1"),
    "7 a.png perhaps": ("broken row", "expected patient, file, label and source"),
}


@pytest.fixture
def train(tree: Path) -> Iterator[Path]:
    path = tree / "labels/train_COVIDx9A.txt"
    before = path.read_text(encoding="utf-8")
    yield path
    assert path.read_text(encoding="utf-8").startswith(before), "a test adds rows"


def add(path: Path, *rows: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + "".join(f"{row}\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("row", BAD)
def test_a_bad_row_is_dropped_and_told(tree: Path, train: Path, row: str) -> None:
    before, _ = enumerated(tree, "9A")
    add(train, row)
    after, told = enumerated(tree, "9A")
    assert set(after) == set(before)
    kind, what = BAD[row]
    (found,) = (note for note in told if note.kind == kind)
    assert found.dropped
    assert found.where.startswith("labels/train_COVIDx9A.txt line ")
    assert what in found.what


def test_an_unknown_label_is_kept_without_a_class(tree: Path, train: Path) -> None:
    add(train, "311b fig-b.PNG perhaps cohen")
    records, told = enumerated(tree, "9A")
    record = records["cohen/fig-b.PNG"]
    assert (record.label, record.label_raw) == (None, "perhaps")
    assert "unknown_finding" in record.flags
    assert any(note.kind == "unknown finding" and "'perhaps'" in note.what for note in told)


def test_rows_that_contradict_each_other(tree: Path, train: Path) -> None:
    add(train, "285 000001-24.jpg COVID-19 cohen", f"{HELD_OUT} {HELD_OUT}.png normal rsna")
    records, told = enumerated(tree, "9A")
    assert (records["cohen/000001-24.jpg"].label, records["cohen/000001-24.jpg"].label_raw) == (
        None,
        "COVID-19 / pneumonia",
    )
    assert "contradictory_rows" in records["cohen/000001-24.jpg"].flags
    assert records[f"rsna/{HELD_OUT}.png"].official_split is None
    assert {"contradictory rows", "file in train and test"} <= {note.kind for note in told}


def test_a_list_that_is_missing(tree: Path, tmp_path: Path) -> None:
    (tree / "labels/test_COVIDx9A.txt").unlink()
    with pytest.raises(IncompleteSourceError, match="labels/test_COVIDx9A.txt"):
        built(tree, tmp_path / "cache", allow_missing=False)
    with pytest.raises(NotThereError, match="labels/test_COVIDx9A.txt: expected in the raw files"):
        built(tree, tmp_path / "cache")


def test_a_damaged_part_is_told_and_the_others_are_built(small: SmallSources, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small.tree("covidx", "packed"), tree)
    (archive,) = tree.glob("Figure1-*.zip")
    archive.write_bytes(archive.read_bytes()[:500])
    build = built(tree, tmp_path / "cache")
    assert set(notices(build, "missing pictures")) == {"fig1"}
    assert any(archive.name in where for where in notices(build, "resource not usable"))
    assert build.rows == small.build("covidx").rows - 3


def test_a_part_whose_files_have_other_names(tree: Path, tmp_path: Path) -> None:
    for path in (tree / "bimcv").iterdir():
        path.rename(path.with_name(path.name.replace("-corrected", "")))
    build = built(tree, tmp_path / "cache")
    assert set(notices(build, "missing pictures")) == {"bimcv"}
    assert any("bimcv/sub-S03044" in where for where in notices(build, "extra file"))


def test_files_that_belong_to_nothing_are_told(tree: Path, tmp_path: Path) -> None:
    (tree / "ricord/notes.docx").write_bytes(b"notes")
    build = built(tree, tmp_path / "cache")
    assert any(where.endswith("ricord/notes.docx") for where in notices(build, "extra file"))


def test_a_part_without_its_table_leaves_negatives_open(tree: Path) -> None:
    (tree / "cohen/metadata.csv").unlink()
    (tree / "actmed/metadata.csv").unlink()
    records, told = enumerated(tree, "9B")
    assert {"cohen/metadata.csv", "actmed/metadata.csv"} == {
        note.where for note in told if note.kind == "table missing"
    }
    assert records["cohen/ARDSSevere.png"].label is None
    assert records[f"actmed/{CR}"].label is None
    assert records[f"rsna/{UIDS[0]}.png"].label == "not_covid19"


def test_people_of_other_sources_here_are_tied_to_them(tree: Path) -> None:
    """The lists name the ids of RICORD and Stony Brook, which are those of two sources of their own here."""
    records, _ = enumerated(tree, "9A")
    ties = {tie for record in records.values() for tie in record.ties if tie.startswith("person:")}
    assert {"person:midrc-ricord/419639-000238", "person:covid19-ny-sbu/A223587"} <= ties
    ids = {load_card(name).patients.ids for name in ("midrc_ricord_1c", "covid19_ny_sbu")}
    assert {tie.removeprefix("person:").partition("/")[0] for tie in ties} == ids
    assert not any(
        tie.startswith("person:") for name, record in records.items() if name.startswith("rsna/") for tie in record.ties
    )
