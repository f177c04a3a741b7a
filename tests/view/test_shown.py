"""How a notebook shows what the library returns: every value, in its own letters and colours, and nothing as markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pytest

import covid_datasets
from covid_datasets import build_dataset, info
from covid_datasets.baselines.evaluate.report import Evaluation
from covid_datasets.baselines.train.rounds import Rounds
from covid_datasets.baselines.train.run import Run
from covid_datasets.catalog.own import OwnData
from covid_datasets.load.found import Found
from covid_datasets.load.splits import audit
from covid_datasets.load.verify import VerifyReport
from covid_datasets.splits.audit import AuditReport
from covid_datasets.transforms.segment.course import Course
from covid_datasets.transforms.segment.quantify import Quantified
from tests.view.pages import seen

EVIL = '"onload="alert(1)"><script>alert(2)</script></style></td><iframe src=//x>\u202e\x1b[31m'
INPUTS = {"AccessRequired", "CovidDatasetsError", "Augment", "Derived", "Sample", "OwnData"}
"""Public classes that nothing returns to be looked at: errors, and what one hands in."""
FRAMED = {"Audit", "Report"}
"""Whole pages with pictures, which stand in a frame; tests of their own attack them."""
MORE = {each.__name__: each for each in (AuditReport, Course, Quantified, Run, VerifyReport)}
"""What public functions return without a public name."""
PUBLIC = {
    name: found
    for name in covid_datasets.__all__
    if isinstance(found := getattr(covid_datasets, name), type) and name not in INPUTS
}
FIXED: dict[str, Any] = {
    "trait": "all without a pixel",
    "files": {EVIL: {"size": 1, "sha256": EVIL}},
    "config": {"classes": [EVIL], "dataset": EVIL, "scheme": EVIL, "recipe_name": EVIL},
}
"""Values of fields that are looked up by what is in them."""


def evil(hint: Any, name: str = "") -> Any:
    """Make a value of a type in which every text is an attack, down to the last field."""
    origin, inner = get_origin(hint), get_args(hint)
    if name in FIXED and (name == "trait" or origin in (dict, Mapping)):
        return FIXED[name]
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint)
        return hint(**{each.name: evil(hints[each.name], each.name) for each in fields(hint) if each.init})
    if origin in (Union, UnionType):
        return evil(inner[0])
    if origin is Literal:
        return inner[0]
    if origin is tuple:
        return (evil(inner[0]),) if inner[-1] is Ellipsis else tuple(map(evil, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {evil(inner[0]): evil(inner[1])}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [evil(inner[0])]
    if hint in (bool, int, float):
        return hint(1)
    return Path(EVIL) if hint is Path else EVIL


def test_everything_that_is_returned_can_be_shown() -> None:
    assert [name for name, kind in (PUBLIC | MORE).items() if not hasattr(kind, "_repr_html_")] == []


@pytest.mark.parametrize("name", sorted((PUBLIC.keys() | MORE.keys()) - FRAMED - {"Card", "Deidentified"}))
def test_no_text_becomes_markup(name: str) -> None:
    page = seen(evil((PUBLIC | MORE)[name])._repr_html_())
    assert page.text.count("<script>alert(2)</script>") >= 1


def test_the_rounds_of_a_training_are_no_markup_either() -> None:
    page = seen(Rounds(Path(EVIL), (evil(Run),), evil(Evaluation))._repr_html_())
    assert page.text.count("<script>alert(2)</script>") > 3


def test_what_was_found_is_no_markup() -> None:
    found = Found(pa.table({EVIL: [EVIL, None], "n": [1, 2]}))
    assert "<script>" in seen(found._repr_html_()).text
    assert "0 rows" in seen(Found(pa.table({}))._repr_html_()).text


def test_a_folder_of_ones_own_may_be_called_anything(tmp_path: Path) -> None:
    folder = tmp_path / "<script>alert(1)<" / '"onload=x'
    folder.mkdir(parents=True)
    card = OwnData(folder).card()
    assert '<script>alert(1)</"onload=x' in seen(card._repr_html_()).text + card.own_copy
    assert "<script>" in seen(covid_datasets.check(folder)._repr_html_()).text


def test_what_left_the_house_names_nobody() -> None:
    """A notebook is passed on: names of files that were left out stay with the value."""
    done = evil(PUBLIC["Deidentified"])
    assert done.left_out[0].path == EVIL
    shown = seen(done._repr_html_()).text
    assert "left out" in shown.lower()
    assert shown.count("<script>") == len(done.warnings) + 2 * len(done.changes) + 1, "and the folder"


def test_real_values(tmp_path: Path) -> None:
    built = build_dataset("phantom", "small", cache_dir=tmp_path, num_proc=1)
    page = seen(built._repr_html_())
    for told in (built.fingerprint, str(built.path), built.people, *built.labels):
        assert told in page.text
    assert page.captions == ["What was built", "Splits", "Labels"]
    checked = seen(audit("phantom", config="small", cache_dir=tmp_path)._repr_html_())
    assert "No leak was found." in checked.text
    assert "All is as it was built." in seen(covid_datasets.verify(built.path)._repr_html_()).text
    card = seen(info("cohen")._repr_html_())
    assert "Known defects" in card.captions


def test_long_lists_are_cut_and_said_to_be() -> None:
    problems = tuple(f"row {number}" for number in range(1000))
    page = seen(VerifyReport("a", Path("b"), 1, 1, False, 0.1, problems)._repr_html_())
    assert "row 19" in page.text
    assert "row 20" not in page.text
    assert "… and 980 more." in page.text
    assert "What differs: 1,000" in page.text
