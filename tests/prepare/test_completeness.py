"""What is lost is held against the tolerance; how a notice words it has no say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose
from covid_datasets.errors import IncompleteSourceError
from covid_datasets.prepare.completeness import check_complete
from covid_datasets.prepare.contents import DroppedError
from covid_datasets.schema import Notice

WORDS = ("missing file", "damaged file", "duplicate slice", "something that nobody has thought of yet")
HOUSE = Path(__file__).resolve().parents[2] / "covid_datasets"


@pytest.mark.parametrize("kind", WORDS)
def test_what_is_lost_counts_whatever_it_is_called(kind: str) -> None:
    lost = Notice(kind, "a.png", "it is gone", count=7, lost=True)
    with pytest.raises(IncompleteSourceError, match=f"7 of .*\n.*a.png: {kind}: it is gone"):
        check_complete(choose("hannover"), 243, [lost])
    assert check_complete(choose("hannover"), 243, [lost], allow_missing=True)


@pytest.mark.parametrize("kind", WORDS)
def test_what_is_left_out_on_purpose_does_not_count(kind: str) -> None:
    assert not check_complete(choose("hannover"), 243, [Notice(kind, "a.png", "it is gone", dropped=True, count=7)])


def test_a_row_whose_bytes_cannot_be_used_is_lost() -> None:
    assert DroppedError("any kind", "a.png", "why").notice.lost


def test_no_code_compares_the_words_of_a_notice() -> None:
    """The report groups notices by their kind; nothing else may look at it, or at what they say."""
    found = [
        f"{path.relative_to(HOUSE)}:{node.lineno}"
        for path in HOUSE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for side in ast.walk(node)
        if isinstance(side, ast.Attribute) and side.attr in ("kind", "what")
        if isinstance(side.value, ast.Name) and side.value.id in ("notice", "note", "told", "lost")
    ]
    assert {place.partition(":")[0] for place in found} <= {"prepare/report.py"}


GONE = ("missing file", "damaged file", "undecodable (poor)")


def test_a_sample_that_is_gone_or_damaged_is_lost_wherever_that_is_told() -> None:
    wrong, seen = [], 0
    for path in (*HOUSE.rglob("*.py"), *(HOUSE.parent / "builders").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) != "Notice" or len(node.args) < 3:
                continue
            if ast.unparse(node.args[0]) in map(repr, GONE):
                seen += 1
                if "lost" not in {keyword.arg for keyword in node.keywords}:
                    wrong.append(f"{path.name}:{node.lineno}")
    assert wrong == []
    assert seen > 8, "the kinds have other names now"


def test_the_skeletons_that_contributors_begin_with_say_so_too() -> None:
    texts = [path.read_text(encoding="utf-8") for path in HOUSE.rglob("*.py.txt")]
    told = [line for text in texts for line in text.splitlines() if any(f'Notice("{kind}"' in line for kind in GONE)]
    assert told
    assert [line for line in told if "lost=True" not in line] == []
