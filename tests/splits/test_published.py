"""The published splits: nobody moves within a version, sources agree, and older versions stay as they were."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets import audit, load_dataset, load_splits, propose_splits
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.published import SPLITS, SPLITS_VERSION, SUMS, published_splits, read_sums
from covid_datasets.contribute.publish import as_csv, place_groups, publish_splits
from covid_datasets.errors import NotThereError, UnknownVersionError
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import is_given, scheme_splits
from tests.small import SmallSources

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")

FOLDER = catalog_folder() / "splits"
DIGESTS = Path(__file__).with_name("published.csv")
"""For each published file, how many of its lines no later change may touch, and their digest."""
MOVED: dict[str, dict[str, str]] = {"covid_ct.csv": {"medpix_patient_33,test": "medpix_patient_33,train"}}
"""File -> line of today -> line as it was published: who moved, because a tie was proven later (see CHANGELOG)."""


def digest_of(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.csv")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_published_file_only_grows_at_its_end(path: Path) -> None:
    with DIGESTS.open(encoding="utf-8", newline="") as lines:
        known = {row["file"]: row for row in csv.DictReader(lines)}
    name = path.relative_to(FOLDER).as_posix()
    lines_now = path.read_text(encoding="utf-8").splitlines()
    assert name in known, f"add to {DIGESTS.name}: {name},{len(lines_now)},{digest_of(lines_now)}"
    count = int(known[name]["lines"])
    as_published = [MOVED.get(name, {}).get(line, line) for line in lines_now[:count]]
    assert digest_of(as_published) == known[name]["sha256"], (
        f"{name}: its first {count} lines are published and papers rely on them; add patients at the end, and list in "
        "MOVED and in CHANGELOG whom a proven tie moved"
    )
    patients = [line.rsplit(",", 1)[0] for line in lines_now]
    assert len(set(patients)) == len(patients), "each patient once"


def test_every_file_that_was_published_is_still_there() -> None:
    with DIGESTS.open(encoding="utf-8", newline="") as lines:
        assert {row["file"] for row in csv.DictReader(lines)} <= {
            path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.csv")
        }


def test_version_2_has_everybody_of_version_1() -> None:
    for path in (FOLDER / "patient@1").glob("*.csv"):
        assert published_splits(path.stem, version=1).keys() <= published_splits(path.stem).keys()


# --- older versions ------------------------------------------------------------------------------------------------


def moved(source: str) -> dict[str, tuple[str, str]]:
    old, new = published_splits(source, version=1), published_splits(source)
    return {patient: (old[patient], new[patient]) for patient in old if old[patient] != new[patient]}


def test_the_older_version_loads_as_it_was_published(small: SmallSources) -> None:
    small.build("cohen")
    old = published_splits("cohen", version=1)
    rows = load_splits("cohen", "patient@1", cache_dir=small.cache).to_pylist()
    assert {row["patient_id"]: row["split"] for row in rows if row["patient_id"] in old}.items() <= old.items()
    assert any(row["patient_id"] in moved("cohen") for row in rows), "expected one whom version 2 moved"
    loaded = load_dataset(
        "cohen", scheme="patient@1", framework="numpy", cache_dir=small.cache, allow_missing=True, offline=True
    )
    assert {row["sample_id"]: split for split, part in loaded.items() for row in part} == {
        row["sample_id"]: row["split"] for row in rows
    }
    assert audit("cohen", "patient@1", level="quick", cache_dir=small.cache).scheme == "patient@1"


def test_the_newest_version_has_two_names(small: SmallSources) -> None:
    small.build("cohen")
    newest = load_splits("cohen", f"patient@{SPLITS_VERSION}", cache_dir=small.cache)
    assert newest == load_splits("cohen", cache_dir=small.cache)
    assert (is_given("patient@1"), is_given(f"patient@{SPLITS_VERSION}"), is_given("fold-1-of-5")) == (
        True,
        False,
        False,
    )


def index_of(patients: list[str], ties: list[list[str]] | None = None) -> Index:
    rows = [
        {"row": row, "sample_id": f"{patient}/{row}", "patient_id": patient, "ties": ties[row] if ties else []}
        for row, patient in enumerate(patients)
    ]
    return Index(pa.Table.from_pylist(rows, schema=INDEX_SCHEMA))


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[int, dict[str, dict[str, str]]]:
    """Published splits by version and source, for a test to fill."""
    found: dict[int, dict[str, dict[str, str]]] = {1: {}, 2: {}}

    def read(dataset: str, folder: Path | None = None, version: int = SPLITS_VERSION) -> dict[str, str]:
        return found[version].get(dataset, {})

    monkeypatch.setattr("covid_datasets.splits.schemes.published_splits", read)
    return found


def test_a_tie_found_since_straddles_in_the_older_version_and_not_in_the_newest(
    published: dict[int, dict[str, dict[str, str]]],
) -> None:
    published[1]["d"] = {"d/1": "train", "d/2": "validation"}
    published[2]["d"] = {"d/1": "train", "d/2": "train"}
    index = index_of(["d/1", "d/2", "d/3"], [["person:x"], ["person:x"], ["person:x"]])
    assert scheme_splits(index, ["d"], "patient@1") == ["train", "validation", "validation"]
    assert scheme_splits(index, ["d"], "patient") == ["train", "train", "train"]


def test_a_source_that_joined_later_has_no_older_version(published: dict[int, dict[str, dict[str, str]]]) -> None:
    published[2]["d"] = {"d/1": "test"}
    with pytest.raises(UnknownVersionError, match="d: no split of it was published in version 1"):
        scheme_splits(index_of(["d/1"]), ["d"], "patient@1")
    assert scheme_splits(index_of(["e/1"]), ["e"], "patient@1") == scheme_splits(index_of(["e/1"]), ["e"], "patient")


# --- what to publish next ------------------------------------------------------------------------------------------

people = st.lists(st.tuples(st.sampled_from("de"), st.integers(0, 15)), min_size=1, max_size=40)


@settings(deadline=None)
@given(people, people, st.randoms(use_true_random=False))
def test_publishing_more_moves_nobody_and_keeps_the_order_of_lines(
    some: list[tuple[str, int]], more: list[tuple[str, int]], chance: Any
) -> None:
    first = [f"{source}/{number}" for source, number in some]
    second = [*first, *(f"{source}/{number}" for source, number in more)]
    chance.shuffle(second)
    published = dict(sorted(place_groups(index_of(first), {}).items()))
    again = place_groups(index_of(second), published)
    assert published.items() <= again.items()
    before, after = as_csv(published), as_csv(again, published)
    assert after.startswith(before)
    assert dict(csv.reader(io.StringIO(after))).keys() == {"patient_id", *(each.split("/")[1] for each in again)}


def test_a_proven_tie_moves_to_test_before_validation_before_train() -> None:
    published = {"d/1": "train", "d/2": "test", "e/1": "validation"}
    index = index_of(["d/1", "d/2", "e/1", "e/2"], [["person:x"], ["person:x"], ["person:y"], ["person:y"]])
    assert place_groups(index, published) == {"d/1": "test", "d/2": "test", "e/1": "validation", "e/2": "validation"}


def everybody_beside(copies: list[int]) -> Index:
    """A source of forty people with one film each, and one that knows nobody and has copies of some of these."""
    rows = [
        {"sample_id": f"d/{number}", "patient_id": f"d/{number}", "ties": [f"picture:{number}"], "label": label}
        for number, label in enumerate(["covid19", "no_finding"] * 20)
    ]
    rows += [
        {"sample_id": f"a/{number}", "patient_id": "a/*", "ties": [f"picture:{number}", "a/*"], "label": "covid19"}
        for number in (*copies, "other", "another")
    ]
    whole = [{"row": number, "patient_known": row["patient_id"] != "a/*"} | row for number, row in enumerate(rows)]
    return Index(pa.Table.from_pylist(whole, schema=INDEX_SCHEMA))


@pytest.mark.parametrize("copies", [[], [*range(40)], [*range(0, 40, 2)]], ids=["none", "all", "one class"])
def test_a_source_that_knows_nobody_keeps_nobody_in_train(copies: list[int]) -> None:
    index = everybody_beside(copies)
    placed = place_groups(index, {})
    assert placed["a/*"] == "train"
    for remainder in (0, 1):  # of each label twenty, as many in each split as if the other source were not there
        parts = [placed[f"d/{number}"] for number in range(remainder, 40, 2)]
        assert [parts.count(split) for split in SPLITS] == [16, 2, 2]
    assert place_groups(index, placed) == placed
    for number in range(40):  # also of who loads the copies alone
        where = placed[f"d/{number}"] if number in copies else "train"
        assert placed.get(f"a/picture:{number}", "train") == where


def test_a_copy_in_a_source_that_knows_nobody_goes_where_its_person_is_and_moves_nobody(
    published: dict[int, dict[str, dict[str, str]]],
) -> None:
    index = everybody_beside([*range(40)])
    alone = scheme_splits(Index(index.table.slice(0, 40)), ["d"], "patient")
    assert set(alone) == set(SPLITS), "nobody is published, and a hash decides"
    assert scheme_splits(index, ["a", "d"], "patient") == [*alone, *alone, "train", "train"]
    published[2] = {"d": {f"d/{number}": "validation" for number in range(40)}}
    assert scheme_splits(index, ["a", "d"], "patient") == ["validation"] * 80 + ["train"] * 2


def test_normal_films_of_children_are_in_every_published_split() -> None:
    found = published_splits("chest_xray_pneumonia")
    normal = [split for patient, split in found.items() if "IM-" in patient]
    assert len(normal) > 1000
    for split in ("validation", "test"):
        assert abs(normal.count(split) / len(normal) - 0.1) < 0.01


def test_each_source_of_a_joint_proposal_gets_the_same_whoever_is_named_first(small: SmallSources) -> None:
    names = ["cohen", "covid_ct", "hannover"]
    for name in names:
        small.build(name)
    for name in names:
        others = [each for each in names if each != name]
        both = [propose_splits(name, beside=beside, cache_dir=small.cache) for beside in (others, others[::-1])]
        assert both[0] == both[1]
        assert both[0].startswith((FOLDER / f"{name}.csv").read_text(encoding="utf-8"))


def test_one_command_publishes_for_all_and_doing_it_again_changes_nothing(small: SmallSources, tmp_path: Path) -> None:
    names = ["cohen", "covid_ct", "hannover", "actualmed"]
    for name in names:
        small.build(name)
    folder = Path(shutil.copytree(FOLDER, tmp_path / "catalogs" / "splits"))
    for name in ("actualmed", "covid_ct"):  # as if the one were new, and the other had grown
        lines = (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{name}.csv").write_text("".join(lines[:20]), encoding="utf-8", newline="")
    (folder / "actualmed.csv").unlink()
    (folder / SUMS).unlink()
    before = {name: (folder / f"{name}.csv").read_text(encoding="utf-8") for name in names if name != "actualmed"}
    gained = publish_splits(names, tmp_path, cache_dir=small.cache)
    assert gained[folder / "actualmed.csv"].added == len(published_splits("actualmed", folder)) > 0
    assert gained[folder / "covid_ct.csv"].added > 0
    assert {found.moved for found in gained.values()} == {0}
    for name, text in before.items():
        assert (folder / f"{name}.csv").read_text(encoding="utf-8").startswith(text), "nobody who is published moves"
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert read_sums(folder).keys() == {path.relative_to(folder).as_posix() for path in after} - {SUMS}
    assert set(publish_splits(names[::-1], tmp_path, cache_dir=small.cache).values()) == {(0, 0)}
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == after
    table = load_splits(names, cache_dir=small.cache).to_pylist()
    pairs = {row["group"]: row["patient_id"] for row in table if row["patient_id"].startswith("covid_ct/")}
    one, other = next(
        (pairs[row["group"]], row["patient_id"])
        for row in table
        if row["patient_id"].startswith("covid_ct/") and row["patient_id"] != pairs[row["group"]]
    )
    apart = [f"{one.split('/', 1)[1]},test", f"{other.split('/', 1)[1]},train"]  # as if the tie were found since
    (folder / "covid_ct.csv").write_text("\n".join(["patient_id,split", *apart, ""]), encoding="utf-8", newline="")
    (folder / SUMS).unlink()
    assert publish_splits(names, tmp_path, cache_dir=small.cache)[folder / "covid_ct.csv"].moved == 1
    assert published_splits("covid_ct", folder)[other] == "test"
    with pytest.raises(NotThereError, match="expected a checkout of covid_datasets"):
        publish_splits(names, tmp_path / "elsewhere", cache_dir=small.cache)


def test_the_sources_that_share_people_agree() -> None:
    """Identities tie samples, and these lie in one split whichever source is loaded: shown for two named pairs."""
    cohen, hannover, covidx = (published_splits(name) for name in ("cohen", "hannover", "covidx"))
    assert cohen["cohen/219"] == hannover["hannover/042f06a9"]
    shared = {patient.removeprefix("covidx/cohen-"): split for patient, split in covidx.items() if "/cohen-" in patient}
    assert len(shared) > 300
    assert {patient: split for patient, split in shared.items() if cohen.get(f"cohen/{patient}", split) != split} == {}
    assert cohen["cohen/30"] == cohen["cohen/31"]
    assert cohen["cohen/137"] == cohen["cohen/202"]
    assert cohen["cohen/192"] == cohen["cohen/196"]
    assert cohen["cohen/193"] == cohen["cohen/195"]
    assert cohen["cohen/179"] == covidx["covidx/fig1-COVID-00045"]
    for part, source in (("fig1", "figure1"), ("actmed", "actualmed")):
        alone = published_splits(source)
        named = {patient: split for patient, split in covidx.items() if f"/{part}-" in patient}
        assert len(named) > 30
        assert {patient: alone[patient.replace(f"covidx/{part}-", f"{source}/")] for patient in named} == named
    figure1 = published_splits("figure1")
    assert cohen["cohen/179"] == figure1["figure1/COVID-00045"]
    assert cohen["cohen/36"] == figure1["figure1/COVID-00022"]
    assert figure1["figure1/COVID-00033"] == figure1["figure1/COVID-00037"]
    pocus = published_splits("pocus")
    assert pocus["pocus/175"] == pocus["pocus/210"]
    assert set(cohen.values()) == set(hannover.values()) == set(pocus.values()) == set(SPLITS)
