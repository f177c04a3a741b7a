"""Files beside a sample that say more of it: read in the worker, and never a reason to lose the sample."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from covid_datasets.errors import DamagedFileError, InvalidRecordError
from covid_datasets.prepare.pieces import Task, piece_rows
from covid_datasets.prepare.plan import make_plan
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import Beside, File, Notice, RawReader, Record
from tests.sources import chest


def said(raw: RawReader, path: str) -> Iterator[Mapping[str, Any] | Notice]:
    try:
        found = json.loads(raw.read(path))
    except ValueError as error:
        raise DamagedFileError(f"{path}: {error}") from error
    yield Notice("odd", path, "told")
    yield {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}


def built(folder: Path, text: str | None) -> tuple[dict[str, Any] | None, list[Notice]]:
    (folder / "a.png").write_bytes(chest(1))
    if text is not None:
        (folder / "a.json").write_text(text, "utf-8")
    raw = RawTree.of_folder(folder)
    beside = Beside("a.json", said, ("a.json",))
    record = Record(sample_id="a", image=File("a.png"), patient="p", age=40.0, flags=("first",), beside=beside)
    plan = make_plan("toy", [record], raw)
    items = list(piece_rows(Task("toy", plan.pieces[0], raw, "full")))
    rows = [item[0] for item in items if not isinstance(item, Notice)]
    return next(iter(rows), None), [item for item in items if isinstance(item, Notice)]


def test_fields_are_filled_and_flags_joined(tmp_path: Path) -> None:
    row, told = built(
        tmp_path, '{"age": 56, "sex": "F", "flags": ["second"], "hu_slope": 1.0, "hu_intercept": -1024.0}'
    )
    assert row is not None
    assert (row["age"], row["sex"], row["flags"]) == (56, "F", ["first", "second"])
    assert row["value_range"] == "Hounsfield units are value * 1 + -1024", "what is filled is known when it is measured"
    assert row["image"]["bytes"] == chest(1), "the sample is the publisher's file"
    assert [notice.what for notice in told] == ["told"]


@pytest.mark.parametrize("text", [None, "", "{", "\0"])
def test_a_file_that_is_gone_or_damaged_is_told_and_the_sample_stays(tmp_path: Path, text: str | None) -> None:
    row, told = built(tmp_path, text)
    assert row is not None
    assert (row["age"], row["flags"]) == (40.0, ["first"])
    assert [(notice.kind, notice.where, notice.lost) for notice in told] == [
        ("file beside not usable", "a.json", False)
    ]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('{"patient": "q"}', "found patient"),
        ('{"label": "covid19"}', "found label"),
        ('{"sexx": "F"}', "found sexx"),
        ('{"age": 1000}', "age: expected 0 to 120"),
        ('{"view": "sideways"}', "view: expected PA"),
    ],
)
def test_what_a_function_may_not_say_is_an_error_that_names_the_file(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(InvalidRecordError, match=rf"a\.json: .*{wrong}"):
        built(tmp_path, text)


def test_a_plan_reads_none_of_them_and_tells_two_apart(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(chest(1))
    raw = RawTree.of_folder(tmp_path)
    digests = {
        make_plan("toy", [Record(sample_id="a", image=File("a.png"), patient="p", beside=beside)], raw).digest
        for beside in (None, Beside("a.json", said, ("a.json",)), Beside("b.json", said, ("b.json",)))
    }
    assert len(digests) == 3
