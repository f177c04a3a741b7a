"""Records to a plan: validated, in one order, cut into pieces of one split each."""

from __future__ import annotations

import pickle
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.card import Patients
from covid_datasets.catalog.published import SPLITS, read_identities
from covid_datasets.errors import CatalogError, InvalidRecordError
from covid_datasets.prepare import plan as plans
from covid_datasets.prepare.plan import full_patient_id, make_plan, planned_splits
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import NOTHING, Box, File, Made, Notice, Record


def record(number: int, size: int = 0, **fields: Any) -> Record:
    """A record of a file whose name tells its size, or of bytes that a function makes."""
    image = File(f"{number:03d}.png") if size else Made(f"{number:03d}.png", bytes)
    values = {"modality": "CXR", "patient": f"p{number % 5}"} | fields
    return Record(sample_id=f"s{number:03d}", image=image, **values)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawTree:
    """Files 000.png to 029.png, of which each is ten bytes larger than the one before."""
    folder = tmp_path_factory.mktemp("raw")
    for number in range(30):
        (folder / f"{number:03d}.png").write_bytes(b"x" * (10 + 10 * number))
    return RawTree.of_folder(folder)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 30), st.integers(1, 2000), st.randoms(use_true_random=False))
def test_rows_are_planned_once_in_one_order_within_the_size_of_a_shard(
    raw: RawTree, count: int, shard_bytes: int, chance: random.Random
) -> None:
    records = [record(number, size=1) for number in range(count)]
    mixed = chance.sample(records, count)
    plan = make_plan("d", iter(mixed), raw, shard_bytes)
    assert plan == make_plan("d", iter(records), raw, shard_bytes)
    rows = [row for piece in plan.pieces for row, _ in piece.rows]
    assert sorted(rows) == list(range(count)) == list(range(plan.rows))
    assert plan.bytes == sum(10 + 10 * number for number in range(count))
    splits = planned_splits("d", records)
    for number, piece in enumerate(plan.pieces):
        assert piece.number == number
        assert [row for row, _ in piece.rows] == sorted(row for row, _ in piece.rows)
        assert [found.sample_id for _, found in piece.rows] == [f"s{row:03d}" for row, _ in piece.rows]
        assert {splits[row] for row, _ in piece.rows} == {piece.split}
        sizes = [10 + 10 * row for row, _ in piece.rows]
        assert len(sizes) == 1 or sum(sizes) <= shard_bytes
    assert [SPLITS.index(piece.split) for piece in plan.pieces] == sorted(
        SPLITS.index(piece.split) for piece in plan.pieces
    )


def test_the_digest_tells_plans_apart(raw: RawTree) -> None:
    records = [record(number, size=1) for number in range(20)]
    whole = make_plan("d", records, raw, 1 << 20)
    assert whole.digest == make_plan("d", records[::-1], raw, 1 << 20).digest
    others = [
        make_plan("d", records, raw, 300),
        make_plan("d", records[:-1], raw, 1 << 20),
        make_plan("d", [replace(records[0], label_raw="other"), *records[1:]], raw, 1 << 20),
        make_plan("d", [replace(records[0], image=File("029.png")), *records[1:]], raw, 1 << 20),
        make_plan("d", [replace(records[0], masks={"lung": File("029.png")}), *records[1:]], raw, 1 << 20),
    ]
    assert len({whole.digest, *(plan.digest for plan in others)}) == 6


def test_pieces_are_few_and_neither_tiny_nor_huge_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "published_splits", lambda dataset: {f"d/p{number}": "train" for number in range(5)})
    for size, expected in ((1 << 10, 1), (8 << 20, 16), (1 << 30, 400)):
        monkeypatch.setattr(plans, "ASSUMED_BYTES", size)
        plan = make_plan("d", [record(number) for number in range(400)], RawTree(()))
        found = [len(piece.rows) * size for piece in plan.pieces]
        assert len(found) == expected
        assert max(found) <= max(plans.MAX_PIECE_BYTES, size)


def test_batches_follow_the_size_of_the_source_and_not_its_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    for size, batch_bytes in ((1 << 10, 4 << 20), (100 << 20, 20 << 20), (3 << 30, 64 << 20)):
        monkeypatch.setattr(plans, "ASSUMED_BYTES", size)
        for shard_bytes in (None, 1, 1 << 40):
            plan = make_plan("d", [record(number) for number in range(400)], RawTree(()), shard_bytes)
            assert plan.batch_bytes == batch_bytes


def test_a_listed_file_that_is_not_there_is_told(raw: RawTree) -> None:
    plan = make_plan("d", [record(1, size=1), record(77, size=1), Notice("odd", "x", "y")], raw)
    assert plan.rows == 1
    assert [(notice.kind, notice.where, notice.dropped) for notice in plan.notices] == [
        ("missing file", "077.png", True),
        ("odd", "x", False),
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"patient": None}, "patient: unknown, so ties must hold the narrowest group that is known"),
        ({"label": "flu"}, "label: expected a class of the taxonomy, found 'flu'"),
        ({"modality": "MRI"}, "modality: expected CT, CXR, US, MR, EEG, PET or None, found 'MRI'"),
        ({"sex": "m"}, "sex: expected F, M or None, found 'm'"),
        ({"age": 130.0}, "age: expected 0 to 120 years or None, found 130.0"),
        ({"masks": {"liver": File("x")}}, "masks: expected lung, infection, left_lung, right_lung, ground_glass, "),
        ({"clinical": {"mood": 1.0}}, "clinical: expected names of vocabulary.CLINICAL, found ['mood']"),
        ({"clinical": {"temperature_c": 101.3}}, "clinical.temperature_c: expected a number from 30 to 45 or None"),
        ({"clinical": {"in_icu": 1}}, "clinical.in_icu: expected true, false or None, found 1"),
        ({"clinical": {"height_cm": float("nan")}}, "clinical.height_cm: expected a number from 30 to 250 or None"),
        ({"view": "PA erect"}, "view: expected PA, AP, AP supine, AP erect, lateral, axial, coronal, sagittal or None"),
        ({"outcome": "dead"}, "outcome: expected recovered, discharged, hospitalised, transferred, isolated, died"),
        ({"outcome": "died", "survival": True}, "outcome, survival: one says that the patient died, the other that"),
        ({"smoking": "yes"}, "smoking: expected never, former, current or None, found 'yes'"),
        ({"blood_type": "0"}, "blood_type: expected A, B, AB, O, A+, "),
        ({"race": "White"}, "race: expected white, black, asian, "),
        ({"ethnicity": "latino"}, "ethnicity: expected hispanic_or_latino, not_hispanic_or_latino or None"),
        ({"symptoms": ("fever", "cold")}, "symptoms: expected words of fever, chills, "),
        ({"symptoms": ("fever", "fever")}, "symptoms: expected each word once, found ('fever', 'fever')"),
        ({"symptoms": "fever"}, "symptoms: expected a tuple of words or None, found 'fever'"),
        ({"comorbidities": ("gout",)}, "comorbidities: expected words of hypertension, "),
        ({"treatments": ("rest",)}, "treatments: expected words of antibiotic, "),
        ({"kvp": 120_000.0}, "kvp: expected 1 to 500 kilovolts or None, found 120000.0"),
        ({"slice_thickness_mm": -1.0}, "slice_thickness_mm: expected 0 to 500 millimetres or None, found -1.0"),
        ({"boxes": (Box("lung_opacity", 1, 2, 0, 4),)}, "boxes: expected a name, a corner at 0 or more, "),
        ({"boxes": (Box("", 1, 2, 3, 4),)}, "boxes: expected a name, "),
        ({"boxes": (Box("x", 1, 2, 3, 4, 1.5),)}, "boxes: expected a name, "),
        ({"boxes": (Box("x", float("nan"), 2, 3, 4),)}, "boxes: expected a name, "),
    ],
)
def test_a_record_that_the_schema_does_not_allow_is_told(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        make_plan("d", [record(1, **fields)], RawTree(()))
    assert f"builder d, sample 's001': {told}" in str(caught.value)


def test_a_sample_id_twice_is_told() -> None:
    with pytest.raises(InvalidRecordError, match="sample id 's001' was yielded twice"):
        make_plan("d", [record(1), record(1)], RawTree(()))


def test_ties_are_of_a_source_and_proven_ones_are_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"s001": (("picture:1",), ()), "s002": ((), ("patient_unknown", "odd"))}
    monkeypatch.setattr(plans, "read_identities", lambda dataset: known)
    plan = make_plan("d", [record(1, ties=("article:x",)), record(2, ties=("article:y",))], RawTree(()))
    found = {each.sample_id: each for piece in plan.pieces for _, each in piece.rows}
    assert found["s001"].ties == ("picture:1", "d/article:x")
    assert (found["s002"].patient, found["s002"].flags) == (None, ("patient_unknown", "odd"))
    assert full_patient_id("d", found["s001"]) == "d/p1"
    assert full_patient_id("d", found["s002"]) == "d/article:y"


def test_a_copy_in_a_source_that_knows_nobody_follows_its_published_tie(monkeypatch: pytest.MonkeyPatch) -> None:
    """So who trains on it alone, and tests on the source of the picture, has no picture on both sides."""
    known = {f"s{number:03d}": ((f"picture:e/{number}", f"picture:f/{number}"), ()) for number in range(1, 5)}
    monkeypatch.setattr(plans, "read_identities", lambda dataset: known)
    monkeypatch.setattr(
        plans,
        "published_splits",
        lambda dataset: {"d/*": "train", "d/picture:f/1": "test", "d/picture:e/2": "validation"},
    )
    nobody = Patients(known="none", how="", group="all")
    plan = make_plan("d", [record(number, patient=None) for number in range(7)], RawTree(()), patients=nobody)
    assert {found.sample_id: piece.split for piece in plan.pieces for _, found in piece.rows} == {
        f"s{number:03d}": {1: "test", 2: "validation"}.get(number, "train") for number in range(7)
    }
    units = {found.sample_id: full_patient_id("d", found) for piece in plan.pieces for _, found in piece.rows}
    assert units == {f"s{n:03d}": {1: "d/picture:f/1", 2: "d/picture:e/2"}.get(n, "d/*") for n in range(7)}


def test_records_share_one_empty_mapping_that_nobody_can_fill() -> None:
    record, other = Record(sample_id="1"), pickle.loads(pickle.dumps(Record(sample_id="2")))
    assert {id(getattr(each, name)) for each in (record, other) for name in ("masks", "clinical", "source_row")} == {
        id(NOTHING)
    }
    assert record.masks == {}
    shared: Any = record.masks
    for change in (shared.update, shared.setdefault, shared.__setitem__, shared.__ior__):
        with pytest.raises(TypeError, match="the empty one that all records share"):
            change("lung", File("1.png"))
    assert {**record.masks, "lung": File("1.png")}.keys() == {"lung"}


def test_rows_that_share_a_tie_are_planned_together() -> None:
    records = [record(number, patient=f"p{number}", ties=(f"d/article:{number % 4}",)) for number in range(40)]
    splits = planned_splits("d", records)
    assert all(splits[number] == splits[number % 4] for number in range(40))


def test_identities_are_read_strictly(tmp_path: Path) -> None:
    assert read_identities("d", tmp_path) == {}
    lines = ["sample_id\ttie\tflag", 'a"b\tperson:1\t', 'a"b\tperson:2\tolder', "c\t\tpatient_unknown"]
    (tmp_path / "d.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert read_identities("d", tmp_path) == {
        'a"b': (("person:1", "person:2"), ("older",)),
        "c": ((), ("patient_unknown",)),
    }
    (tmp_path / "d.tsv").write_text("sample_id\ttie\tflag\nc\t\t\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"d\.tsv line 2: expected sample_id and a tie or a flag, found "):
        read_identities("d", tmp_path)
