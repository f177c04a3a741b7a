"""What a split could not do is said, with the reason: unknown patients, absent classes, uneven labels."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits import told
from covid_datasets.splits.assign import everybody
from covid_datasets.splits.audit import AuditReport, audit_links
from covid_datasets.splits.divide import Division
from covid_datasets.splits.index import Index
from covid_datasets.splits.schemes import divide


def index_of(groups: dict[str, tuple[str, int]], unknown: int = 0, survival: bool | None = None) -> Index:
    """Make groups of a label and so many rows; whom nobody knows have none."""
    rows: list[dict[str, Any]] = [
        {"sample_id": f"{patient}/{row}", "patient_id": patient, "patient_known": True, "label": label, "ties": [],
         "modality": "CXR", "survival": survival}
        for patient, (label, count) in groups.items() for row in range(count)
    ]  # fmt: skip
    rows += [
        {"sample_id": f"d/?{row}", "patient_id": everybody("d"), "patient_known": False, "ties": []}
        for row in range(unknown)
    ]
    return Index(pa.Table.from_pylist([row | {"row": at} for at, row in enumerate(rows)], schema=INDEX_SCHEMA))


def people(label: str, count: int, size: int = 1) -> dict[str, tuple[str, int]]:
    return {f"d/{label}{number}": (label, size) for number in range(count)}


def test_too_few_groups_are_the_reason() -> None:
    index = index_of(people("covid19", 40) | people("sars", 2, 3))
    division = divide(index, ["d"], "patient(8/1/1)")
    notes = told.tell(index, division, "patient(8/1/1)")
    (note,) = [note for note in notes if note.startswith("classes")]
    assert note.startswith(
        "classes that are not in every split, because they have too few groups (fewer than 5): sars CXR"
    )
    assert "(2 groups)" in note
    assert not any("covid19 CXR: not in" in note for note in notes)


def test_that_nobody_who_is_published_moves_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    published = dict.fromkeys(people("sars", 9), "train")
    monkeypatch.setattr("covid_datasets.splits.told.published_splits", lambda dataset: published)
    index = index_of(people("sars", 9) | people("covid19", 3))
    splits = ["train"] * 9 + ["train", "validation", "test"]
    (note,) = [note for note in told.tell(index, Division(splits), "patient") if note.startswith("classes")]
    why = "all their groups are published where they are, and nobody who is published moves"
    assert note == (
        f"classes that are not in every split, because {why}: sars CXR: not in validation, test (9 groups)"
    )  # fmt: skip


def test_chance_is_the_reason_where_nothing_is_published() -> None:
    index = index_of(people("sars", 9))
    (note,) = [note for note in told.tell(index, Division(["train"] * 9), "patient") if note.startswith("classes")]
    assert "because a hash places who is not published: sars CXR: not in validation, test (9 groups)" in note


def test_outcomes_are_classes_too() -> None:
    index = index_of(people("covid19", 30), survival=False)
    splits = ["train"] * 28 + ["validation", "validation"]
    (note,) = [note for note in told.tell(index, Division(splits), "patient") if note.startswith("classes")]
    assert note.endswith("covid19 CXR: not in test (30 groups); died: not in test (30 groups)")


def test_unknown_patients_are_counted_in_every_scheme() -> None:
    index = index_of(people("covid19", 30), unknown=7)
    for scheme in ("patient", "patient(80/20)", "fold-1-of-5"):
        notes = told.tell(index, divide(index, ["d"], scheme), scheme)
        assert "unknown patients: 7 of 37 rows, which are in 1 group (train 7)" in notes


def test_labels_that_are_uneven_are_told_by_how_much() -> None:
    index = index_of(people("covid19", 50) | people("sars", 50))
    even = Division(["train", "test"] * 50)
    assert not any("points off" in note for note in told.tell(index, even, "patient(1/1)"))
    odd = Division(["train"] * 30 + ["test"] * 20 + ["train"] * 20 + ["test"] * 30)
    (note,) = told.tell(index, odd, "patient(1/1)")
    assert note.startswith("labels whose share is more than 2 points off: ")
    assert "covid19 40.0% of test, 50.0% of all" in note
    assert note.count(";") == 3


def test_a_report_keeps_its_notes_and_an_older_one_has_none() -> None:
    report = audit_links("d", "patient", ["train"], ["d/1"], [None], [], ["said"])
    assert "\n  said" in str(report)
    assert AuditReport.from_json(report.to_json() | {"findings": []}).notes == ("said",)
    older = {key: value for key, value in report.to_json().items() if key != "notes"}
    assert AuditReport.from_json(older | {"findings": []}).notes == ()
