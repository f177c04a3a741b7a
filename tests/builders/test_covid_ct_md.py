"""COVID-CT-MD: which label is of which slice, when nobody knows that any more, and what must not get into a build."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from covid_datasets.builders import covid_ct_md

from covid_datasets.errors import DamagedFileError
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Notice, Part, Parts, Record
from tests.dicom import ct
from tests.sources import covid_ct_md as source

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    source.write_unpacked(tmp_path / "tree")
    return tmp_path / "tree"


def read(tree: Path, edition: str = "-updated-1") -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the fields of each slice, and what is told."""
    raw = RawTree.of_folder(tree, version="2021", options={"edition": edition})
    told: dict[str, str] = {}
    found: dict[str, dict[str, Any]] = {}
    for item in everything(raw):
        if isinstance(item, Notice):
            told.setdefault(f"{item.kind}: {item.where.rpartition('/')[2]}", item.what)
        else:
            found[item[0]] = item[1]
    return found, told


def everything(raw: RawTree) -> Iterator[Notice | tuple[str, dict[str, Any]]]:
    for item in covid_ct_md.records(raw):
        if isinstance(item, Notice):
            yield item
            continue
        assert isinstance(item, Record)
        assert isinstance(item.image, Parts)
        for part in item.image.function(raw, *item.image.arguments):
            if isinstance(part, Part):
                yield f"{item.sample_id}/{part.id}", {**part.fields, "pixels": part.pixels}
            else:
                yield part


def infected(found: dict[str, dict[str, Any]], person: str) -> dict[int, str]:
    """Number of a slice from the head down -> lobes with infection."""
    rows = [row["source_row"] for name, row in found.items() if name.startswith(person)]
    return {row["InstanceNumber"] - 1: row["lobes"] for row in rows if row.get("infection") == "1"}


def labelled(found: dict[str, dict[str, Any]], person: str) -> bool:
    return any("infection" in row["source_row"] for name, row in found.items() if name.startswith(person))


def test_labels_count_from_the_head_and_lie_on_their_slices(tree: Path) -> None:
    found, told = read(tree)
    for person in source.PEOPLE:
        heights = [row["position"][2] for name, row in found.items() if name.startswith(person)]
        assert heights == [-56.0, -54.0, -52.0, -50.0], "from the feet up, whatever the files are called"
        expected = {number: lobes for (whose, number), lobes in source.SEEN.items() if whose == person}
        assert infected(found, person) == expected
    assert found["P001/0003"]["label_raw"] == "COVID-19, infection in this slice"
    assert found["P001/0000"]["label_raw"] == "COVID-19, no infection in this slice"
    assert not labelled(found, "normal001")
    assert not [kind for kind in told if "labels" in kind]


def test_the_first_labels_are_a_config(tree: Path) -> None:
    assert infected(read(tree, "")[0], "P001") == {0: "LUL RUL"}


def test_what_may_identify_somebody_is_flagged_and_never_stored(tree: Path) -> None:
    found, told = read(tree)
    assert told["headers may tell who it is: P001"] == "PatientID, StudyDate: none of it is stored"
    assert {name.split("/")[0] for name, row in found.items() if row["flags"]} == {"P001", "normal001"}
    text = json.dumps([{key: value for key, value in row.items() if key != "pixels"} for row in found.values()])
    assert not [secret for secret in ("98C14734", "20200305", "1.2.3.4.5") if secret in text + json.dumps(told)]
    assert (found["P001/0000"]["sex"], found["P001/0000"]["age"], found["P001/0000"]["kvp"]) == ("F", 39.0, 110.0)


def moved(number: int) -> bytes:
    return ct(np.zeros((source.SIDE, source.SIDE), np.int16), (-20.0, -20.0, -50.0 - 2.0 * number), InstanceNumber=9)


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_without_one_file_no_slice_has_a_label_but_where_that_cannot_show(tree: Path, gone: int) -> None:
    (tree / "COVID-19 subjects" / "P044" / f"IM{gone + 1:04}.dcm").unlink()
    found, told = read(tree)
    assert labelled(found, "P044") == (gone == 3), "at the feet nothing shows"
    assert ("labels of slices not used: P044" in told) == (gone != 3)
    if gone == 3:
        assert infected(found, "P044") == {2: "RLL"}, "and moves nobody"


def test_doubled_and_damaged_files_take_the_labels_away(tree: Path) -> None:
    folder = tree / "COVID-19 subjects"
    (folder / "P044" / "copy.dcm").write_bytes((folder / "P044" / "IM0002.dcm").read_bytes())
    name = min(path.name for path in (folder / "P001").iterdir())
    (folder / "P001" / name).write_bytes(b"no DICOM")
    found, told = read(tree)
    assert told["labels of slices not used: P044"].startswith("duplicate slice")
    assert told["labels of slices not used: P001"].startswith("damaged file")
    assert not labelled(found, "P044")
    assert not labelled(found, "P001")
    assert infected(found, "cap001") == {3: "LLL RLL"}


def test_a_slice_whose_pixels_are_damaged_moves_nobody(tree: Path) -> None:
    path = tree / "COVID-19 subjects" / "P044" / "IM0002.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    found, _ = read(tree)
    assert sorted(name for name in found if name.startswith("P044")) == ["P044/0000", "P044/0001", "P044/0003"]
    assert infected(found, "P044") == {2: "RLL"}


def test_labels_beyond_the_last_slice(tree: Path) -> None:
    for level in ("Slice", "Lobe"):
        path = tree / f"{level}-level-labels-updated-1.npy"
        array = np.load(path)
        array[source.ROWS["P001"], 30] = 1
        np.save(path, array)
    found, told = read(tree)
    assert told["labels of slices not used: P001"].startswith("4 slices are here, and there were more")
    assert not labelled(found, "P001")


def test_arrays_are_never_unpickled(tree: Path) -> None:
    np.save(tree / "Lobe-level-labels-updated-1.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(DamagedFileError, match=r"Lobe-level-labels-updated-1\.npy: expected an array of numbers"):
        read(tree)


def test_arrays_that_disagree_and_rows_that_are_none(tree: Path) -> None:
    array = np.load(tree / "Slice-level-labels-updated-1.npy")
    array[0, 0] = 0
    np.save(tree / "Slice-level-labels-updated-1.npy", array)
    with (tree / "Index.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    rows[44][0], rows[55][0], rows[56][0], rows[1][1] = "43", "81", "54", "CAP"  # P044, cap001, cap002 and P001
    with (tree / "Index.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
    found, told = read(tree)
    assert told["labels disagree: Slice-level-labels-updated-1.npy"].startswith("1 slices say otherwise")
    assert told["index out of order: Index.csv: P044"].startswith("'43' is that of no row")
    assert told["index out of order: Index.csv: cap001"].startswith("'81' is that of no row")
    assert told["index out of order: Index.csv: cap002"].startswith("'54' is that of P054")
    assert told["table contradicts the folder: P001"].startswith(
        "CAP in Index.csv, but it lies in a folder of COVID-19"
    )
    assert not [person for person in source.PEOPLE if labelled(found, person)]


def test_a_person_in_two_folders_is_left_out(tree: Path) -> None:
    (tree / "CAP subjects" / "P001").mkdir()
    (tree / "CAP subjects" / "P001" / "IM0001.dcm").write_bytes(moved(0))
    found, told = read(tree)
    assert "COVID-19" in told["person of two classes: P001"]
    assert not [name for name in found if name.startswith("P001")]
