"""From pieces to splits: whatever moved, every row is there once, in its split, in the order of the plan."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.published import SPLITS
from covid_datasets.features import arrow_schema
from covid_datasets.prepare.arrow_file import arrow_file
from covid_datasets.prepare.place import LocalPlace, rows_path
from covid_datasets.prepare.settle import lay_out, write_splits

Pieces = list[tuple[str, list[int]]]


@st.composite
def plans(draw: st.DrawFn) -> tuple[Pieces, dict[int, str]]:
    """Pieces as a plan cuts them, some of whose rows were dropped, and the final split of the others."""
    planned = draw(st.lists(st.sampled_from(SPLITS), max_size=24))
    pieces: Pieces = []
    for split in SPLITS:
        rows = [row for row, found in enumerate(planned) if found == split]
        while rows:
            size = draw(st.integers(1, len(rows)))
            kept = [row for row in rows[:size] if draw(st.integers(0, 4))]
            pieces.append((split, kept))
            rows = rows[size:]
    stays = draw(st.sampled_from([1, 3, 9]))  # of ten rows
    final = {
        row: split if draw(st.integers(0, 9)) < stays else draw(st.sampled_from(SPLITS))
        for split, rows in pieces
        for row in rows
    }
    return pieces, final


def row(number: int) -> dict[str, Any]:
    return {"sample_id": f"d/{number}", "image": {"bytes": b"%d" % number * 30, "path": "x"}, "label": number % 3}


def write_pieces(pieces: Pieces, work: Path) -> None:
    for number, (_, rows) in enumerate(pieces):
        rows_path(work, number).parent.mkdir()
        with arrow_file(rows_path(work, number), arrow_schema()) as sink:
            sink.write([row(each) for each in rows])


def stored(folder: Path, files: list[str]) -> list[int]:
    found = []
    for name in files:
        table = pa.ipc.open_stream((folder / name).read_bytes()).read_all()
        assert table.schema.equals(arrow_schema(), check_metadata=True)
        for each in table.to_pylist():
            number = int(each["sample_id"].removeprefix("d/"))
            assert {key: value for key, value in each.items() if key in row(number)} == row(number)
            found.append(number)
    return found


@settings(deadline=None, max_examples=60)
@given(plans(), st.sampled_from([1, 100, 1 << 20]))
def test_every_kept_row_is_once_in_its_split_in_the_order_of_the_plan(
    plan: tuple[Pieces, dict[int, str]], batch_bytes: int
) -> None:
    pieces, final = plan
    layout = lay_out(pieces, final)
    with tempfile.TemporaryDirectory() as name:
        work, target = Path(name) / "work", Path(name) / "final"
        work.mkdir()
        write_pieces(pieces, work)
        files = write_splits(layout, LocalPlace(work, work), pieces, target, batch_bytes=batch_bytes)
        found = {split: stored(target / split, files[split]) for split in SPLITS}
        assert {split: sorted(path.name for path in (target / split).iterdir()) for split in SPLITS} == files
    assert found == {split: sorted(row for row, where in final.items() if where == split) for split in SPLITS}
    assert layout.order() == [row for split in SPLITS for row in found[split]]


@given(plans())
def test_pieces_that_keep_their_rows_are_linked_and_no_others(plan: tuple[Pieces, dict[int, str]]) -> None:
    pieces, final = plan
    linked = [(piece, rows) for files in lay_out(pieces, final).files.values() for piece, rows in files]
    for piece, rows in linked:
        assert rows
        if piece is not None:
            assert rows == pieces[piece][1]
    if all(final[row] == split for split, rows in pieces for row in rows):
        assert [piece for piece, _ in linked] == [number for number, (_, rows) in enumerate(pieces) if rows]


def test_a_piece_in_its_place_is_the_same_file(tmp_path: Path) -> None:
    pieces: Pieces = [("train", [0, 1]), ("train", [2, 5]), ("test", [3, 4])]
    final = {0: "train", 1: "train", 2: "train", 3: "test", 4: "train", 5: "train"}
    write_pieces(pieces, tmp_path)
    files = write_splits(lay_out(pieces, final), LocalPlace(tmp_path, tmp_path), pieces, tmp_path / "final")
    assert files == {
        "train": ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow"],
        "validation": ["data-00000-of-00001.arrow"],
        "test": ["data-00000-of-00001.arrow"],
    }
    inodes = [rows_path(tmp_path, number).stat().st_ino for number in range(3)]
    assert (tmp_path / "final" / "train" / files["train"][0]).stat().st_ino == inodes[0]
    assert (tmp_path / "final" / "train" / files["train"][1]).stat().st_ino not in inodes
    assert stored(tmp_path / "final" / "train", files["train"]) == [0, 1, 2, 4, 5]
    assert stored(tmp_path / "final" / "validation", files["validation"]) == []


def test_where_files_cannot_be_linked_they_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError("Operation not supported")

    monkeypatch.setattr("os.link", no_links)
    pieces: Pieces = [("train", [0, 1])]
    write_pieces(pieces, tmp_path)
    files = write_splits(
        lay_out(pieces, {0: "train", 1: "train"}), LocalPlace(tmp_path, tmp_path), pieces, tmp_path / "final"
    )
    assert stored(tmp_path / "final" / "train", files["train"]) == [0, 1]
    assert rows_path(tmp_path, 0).exists()


def test_a_file_that_failed_half_way_is_not_there(tmp_path: Path) -> None:
    def write() -> None:
        with arrow_file(tmp_path / "x.arrow", arrow_schema()) as sink:
            sink.write([row(1)])
            assert len(list(tmp_path.iterdir())) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []
