"""Every column of the harmonised schema: stored as said, found by a filter, and cheap where nothing is known."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from covid_datasets.errors import UsageError
from covid_datasets.features import arrow_schema
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.verify import verify
from covid_datasets.measure.image import Measured
from covid_datasets.prepare.columnar import record_batch
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.rows import stored_row
from covid_datasets.schema import COLUMNS, File, Record
from covid_datasets.vocabulary import CLINICAL, MASKS, VOCABULARIES
from tests.tiny import CARD, installed

OPEN = CARD + "\n[versions.1]\nresources = []\n"
BUILDER = """
from covid_datasets.schema import Box, Made, Record
from covid_datasets.vocabulary import CLINICAL, MASKS
from covid_datasets.builders.phantom import picture

def made(name, layer="image"):
    return Made(name + ".png", picture, (0, 0, 1, "CXR", 0, False, layer))

def records(raw):
    yield Record(
        sample_id="full", image=made("full"), modality="CXR", patient="a", study="s", view="AP", label="covid19",
        label_raw="COVID", severity="mild", severity_scores={"opacity": 2},
        masks={name: made(name, "lung") for name in MASKS},
        boxes=(Box("lung_opacity", 1, 2, 30, 40), Box("heart", 5.5, 6.5, 7, 8, 0.25)),
        sex="F", age=40, offset_days=3, survival=False, outcome="died", symptoms=("fever", "other"),
        symptoms_raw="fever, hiccups", comorbidities=("diabetes",), treatments=("oxygen",), smoking="former",
        blood_type="AB-", race="other", ethnicity="hispanic_or_latino",
        clinical={name: True if each.type == "bool" else int(each.high) for name, each in CLINICAL.items()},
        location="Here", country="There", date="2020", license="CC0-1.0", source_url="https://x.org", doi="10.1/x",
        series="1", part_index=0, seconds=1, position=(1, 2, 3), orientation=(1, 0, 0, 0, 1, 0),
        spacing=(1, 0.5), hu_slope=1, hu_intercept=-1024,
        value_range="8-bit", manufacturer="Maker", scanner_model="One", kernel="B30s", kvp=120,
        slice_thickness_mm=1, caption="A film.", flags=(), source_row={"a": "b"},
    )
    yield Record(sample_id="none", image=made("none"), modality="CXR", patient="b", symptoms=(), boxes=())
    yield Record(sample_id="silent", image=made("silent"), modality="CXR", patient="c")
"""


def test_every_column_is_stored_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path / "installed", monkeypatch, {"tiny": OPEN}, {"tiny": BUILDER}):
        built = build_dataset("tiny", num_proc=1)
        assert verify(built.path, pixels=True).ok, "what is read back has the digest of what was written"
        rows = {row["sample_id"].partition("/")[2]: row for row in load("tiny")}
        full, none, silent = rows["full"], rows["none"], rows["silent"]
        given = {"volume", "video", "volume_masks", "depth"}
        assert [name for name in COLUMNS if full[name] is None and name not in given] == []
        assert set(full["masks"]) == set(MASKS)
        assert full["boxes"] == [
            {"name": "lung_opacity", "x": 1.0, "y": 2.0, "width": 30.0, "height": 40.0, "score": None},
            {"name": "heart", "x": 5.5, "y": 6.5, "width": 7.0, "height": 8.0, "score": 0.25},
        ]
        assert all(full["clinical"][name] is not None for name in CLINICAL)
        assert (full["kvp"], full["slice_thickness_mm"], full["kernel"]) == (120.0, 1.0, "B30s")
        assert (none["symptoms"], none["boxes"]) == ([], []), "there are none, as the source says"
        for name in (*VOCABULARIES, "boxes", "kvp"):
            assert silent[name] is None or name == "modality", "unknown is not none"
        assert found(symptoms="fever") == found(symptoms=["chills", "fever"]) == {"full"}
        assert found(symptoms=None) == {"silent"}
        assert found(symptoms="chills") == set()
        assert found(outcome="died", kernel="B30s", kvp=120, race="other") == {"full"}
        with pytest.raises(UsageError, match=r"symptoms 'fevr': expected one of fever, chills, "):
            found(symptoms="fevr")
        with pytest.raises(UsageError, match=r"outcome 'dead': expected one of recovered, "):
            found(outcome="dead")


def load(name: str, **view: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = list(load_dataset(name, split="all", framework="numpy", **view))
    return rows


def found(**view: Any) -> set[str]:
    return {str(row["sample_id"]).partition("/")[2] for row in load("tiny", **view)}


def test_what_nobody_knows_costs_next_to_nothing() -> None:
    record = Record(sample_id="s", image=File("s.png"), patient="p")
    row = stored_row("d", record, b"x", {}, Measured("0" * 64))
    said = {name: value for name, value in row.items() if value is not None}
    schema = arrow_schema()

    def size(count: int) -> int:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(record_batch([said] * count, schema))
        return int(sink.getvalue().size)

    assert (size(1100) - size(100)) / 1000 < 1024, "a picture has a hundred times as many bytes"


def test_the_words_of_a_record_are_in_a_list() -> None:
    """A column of words is a field of a record of the same name, so that the plan can check it."""
    assert set(VOCABULARIES) <= {each.name for each in fields(Record)} & set(COLUMNS)
    assert all(len(set(words)) == len(words) for words in VOCABULARIES.values())
    assert MASKS[:2] == ("lung", "infection"), "what builds store keeps its order"
