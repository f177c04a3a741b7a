"""Headers as JSON beside images, of any content: a sample keeps what is known of it, and no raw error comes out."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.prepare.pieces import _BESIDE_FIELDS
from covid_datasets.prepare.valid import problems_of
from covid_datasets.raw.tree import RawTree
from covid_datasets.read import identity
from covid_datasets.read.bids import TAGS, read_tree, words_of
from covid_datasets.read.plists import read_outlines
from covid_datasets.read.sidecar import Assay, Side, ct_beside, film_beside, shown_film
from covid_datasets.schema import File, Notice, Part, Record
from tests.raws import Files

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 40), 1 << 40), st.floats(), st.text(max_size=8),
    st.sampled_from(["MONOCHROME1", "056Y", "20200322", "LOCALIZER", "12", "2048"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*TAGS.values(), "Value", "vr"]), inner)
    ),
    max_leaves=6,
)
ELEMENTS = st.dictionaries(
    st.sampled_from([*TAGS.values()]),
    st.one_of(VALUES, st.fixed_dictionaries({"Value": VALUES, "vr": LEAVES})),
    max_size=12,
)


def film() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)).save(out, "PNG")
    return out.getvalue()


PICTURE = film()


@settings(max_examples=150, deadline=None)
@given(ELEMENTS)
def test_any_header_leaves_a_record_that_can_be_stored(elements: dict[str, Any]) -> None:
    raw = Files({"a.png": PICTURE, "a.json": json.dumps(elements).encode()})
    side = Side("a.json", view=True, assays=(Assay("2020-03-20", "PCR", True),), row={"part": "positive"})
    for function in (film_beside, ct_beside):
        said = [list(function(raw, side, "a.png")) for _ in range(2)]
        assert repr(said[0]) == repr(said[1])
        (fields,) = (item for item in said[0] if not isinstance(item, Notice))
        assert set(fields) <= _BESIDE_FIELDS
        assert fields["source_row"]["part"] == "positive"
        assert problems_of(Record(sample_id="a", image=File("a.png"), patient="p", **fields)) == []
    try:
        parts = [item for item in shown_film(raw, "a.png", side, False) if isinstance(item, Part)]
    except DamagedFileError as error:
        assert "a.json" in str(error)  # noqa: PT017
    else:
        assert [part.pixels.shape for part in parts] == [(8, 8)]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_outlines_or_told(data: bytes) -> None:
    found = read_outlines(data, "a.xml")
    assert found.drawn or found.notices or b"ROIs" in data


def test_entities_in_outlines_are_refused() -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><plist><string>&b;</string></plist>'
    )
    (notice,) = read_outlines(bomb, "a.xml").notices
    assert notice.kind == "outlines not read"


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[a-c]( ?[x-z]){0,3}", fullmatch=True), max_size=5))
def test_lists_are_read_however_they_were_broken(words: list[str]) -> None:
    unique = list(dict.fromkeys(words))
    for text in (repr(words), repr(words)[2:-2], "\t".join(f"'{word}'" for word in words), json.dumps(words)):
        assert words_of(text) == unique


def test_a_header_of_another_image_is_borrowed_in_order(tmp_path: Any) -> None:
    folder = tmp_path / "sub-S1/ses-E1/mod-rx"
    folder.mkdir(parents=True)
    for name in ("sub-S1_ses-E1_run-1_dx.png", "sub-S1_ses-E1_run-2_cr.json", "sub-S1_ses-E1_run-3_cr.json"):
        (folder / name).write_bytes(b"x")
    tree = read_tree(RawTree.of_folder(tmp_path), ("dx.png",))
    (path,) = tree.images.values()
    assert tree.sidecar(path) == (path.replace("run-1_dx.png", "run-2_cr.json"), False)


def test_all_that_may_identify_can_be_asked_of_a_sidecar() -> None:
    datadict = pytest.importorskip("pydicom.datadict")
    assert set(identity.TAGS) <= set(TAGS)
    assert {name: int(tag, 16) for name, tag in TAGS.items()} == {name: datadict.tag_for_keyword(name) for name in TAGS}
