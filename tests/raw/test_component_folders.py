"""Sources that are composed of others: each part is found, counted and told by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose, read_card
from covid_datasets.catalog.resource import Copy, Pattern, Resource
from covid_datasets.errors import CatalogError, IncompleteSourceError
from covid_datasets.prepare.completeness import check_complete
from covid_datasets.prepare.components import Share, Tally
from covid_datasets.prepare.composed import ANY, imported_builders
from covid_datasets.prepare.inputs import declared_inputs
from covid_datasets.prepare.plan import make_plan
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import File, Record
from tests.raw.test_archives import zip_of
from tests.raw.test_local import put
from tests.tiny import BUILDER, CARD, VERSION, installed

FILMS = Resource(
    name="films", kind="folder", folder="films/", optional=True, steps=("Ask for them.",),
    files=(Pattern(glob="*.png", what="a film"),),
)  # fmt: skip
SCANS = Resource(
    name="scans",
    kind="archive",
    folder="scans/",
    optional=True,
    copies=(Copy(url="https://host.org/set.zip", root="set-1/"),),
)


@pytest.mark.parametrize("inside", ["films", "data/films", "films/stage 2"])
def test_a_part_is_found_in_the_folder_of_its_name_only(tmp_path: Path, inside: str) -> None:
    data = put(tmp_path / "data", {f"{inside}/1.png": b"1", "other/2.png": b"2", "other/3.png": b"3"})
    local = mount_local(data, (FILMS,))
    assert local.mounts["films"].sizes() == {"films/1.png": 1}
    assert [Path(path).name for path in local.extra] == ["2.png", "3.png"]


def test_a_part_that_is_not_there_takes_nobody_elses_files(tmp_path: Path) -> None:
    data = put(tmp_path / "data", {"other/2.png": b"2"})
    assert mount_local(data, (FILMS, SCANS)).mounts == {}


@pytest.mark.parametrize(
    "files",
    [
        {"set.zip": zip_of({"set-1/metadata.csv": b"a"})},
        {"set-1/metadata.csv": b"a"},
        {"scans/metadata.csv": b"a"},
        {"my/scans/metadata.csv": b"a"},
    ],
)
def test_an_archive_of_a_part_packed_and_unpacked(tmp_path: Path, files: dict[str, bytes]) -> None:
    data = put(tmp_path / "data", files | {"other/metadata.csv": b"not this one"})
    mount = mount_local(data, (SCANS,)).mounts["scans"]
    assert mount.sizes() == {"scans/metadata.csv": 1}
    assert mount.read("scans/metadata.csv") == b"a"


def test_missing_files_are_counted_by_part_and_told_once(tmp_path: Path) -> None:
    put(tmp_path, {"films/0.png": b"0", "list.csv": b"x"})
    paths = [*(f"films/{number}.png" for number in range(9)), "scans/1.png", "elsewhere/1.png"]
    records = [Record(sample_id=path, image=File(path), patient=path) for path in paths]
    plan = make_plan("d", records, RawTree.of_folder(tmp_path), resources=(FILMS, SCANS))
    assert plan.rows == 1
    assert plan.shares == (
        Share("films", 9, 8, "Ask for them."),
        Share("scans", 1, 1, "it is served at <https://host.org/set.zip>"),
    )
    told = {(notice.kind, notice.where): notice.count for notice in plan.notices}
    assert told == {
        ("missing pictures", "films"): 8,
        ("missing pictures", "scans"): 1,
        ("missing file", "elsewhere/1.png"): 1,
    }
    what = next(notice.what for notice in plan.notices if notice.where == "films")
    assert what.startswith(
        "8 of 9 listed are not there, such as films/1.png, films/2.png, films/3.png; to get them: Ask"
    )
    assert str(plan.shares[0]) == "films: 1 of 9 listed pictures are there; to get the rest: Ask for them."


def test_parts_of_which_nothing_is_listed_are_not_counted() -> None:
    tally = Tally((FILMS, SCANS))
    assert not tally.add("elsewhere/1.png", there=False)
    assert (tally.shares(), tally.notices()) == ((), [])


def test_what_is_lost_counts_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + VERSION}, {"tiny": BUILDER}, {"a": b"a"}):
        tally = Tally((FILMS,))
        for number in range(30):
            tally.add(f"films/{number}.png", there=number == 0)
        with pytest.raises(IncompleteSourceError) as error:
            check_complete(choose("tiny"), 1, tally.notices(), tally.shares())
    lines = str(error.value).splitlines()
    assert lines[0].startswith("tiny@1: 29 of 30 images are missing or damaged")
    assert lines[1:3] == [
        "Its components:",
        "  films: 1 of 30 listed pictures are there; to get the rest: Ask for them.",
    ]
    assert len(lines) == 4, "the component is told once"


@pytest.mark.parametrize("folder", ["/films/", "films", "../films/", "a/b/"])
def test_a_part_has_one_folder(tmp_path: Path, folder: str) -> None:
    text = (CARD + VERSION).replace('kind = "archive"', f'kind = "archive"\nfolder = "{folder}"')
    put(tmp_path, {"tiny.toml": text.encode(), "manifests/tiny.tsv": b""})
    with pytest.raises(CatalogError, match=r"key 'folder': expected one folder such as 'parts/', found"):
        read_card(tmp_path / "tiny.toml")


def test_a_build_depends_on_the_builders_that_its_card_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed = "from covid_datasets.builders import part_of_it\n\nrecords = part_of_it.records\n"
    cards = {"part_of_it": CARD + VERSION, "composed": 'composed_of = ["part_of_it"]\n' + CARD + VERSION}
    builders = {"part_of_it": BUILDER, "composed": composed}
    with installed(tmp_path / "package", monkeypatch, cards, builders, {"a": b"a"}) as catalogs:
        digests = [declared_inputs(choose(name), "full")["builder"] for name in cards]
        (catalogs.parent / "builders/part_of_it.py").write_text(BUILDER + "# changed\n", encoding="utf-8")
        changed = [declared_inputs(choose(name), "full")["builder"] for name in cards]
    assert len({*digests, *changed}) == 4


@pytest.mark.parametrize(
    ("cards", "problem"),
    [
        ({"a": ["nobody"]}, "expected names of sources with a card, found 'nobody'"),
        ({"a": ["../a"]}, "expected names of sources with a card"),
        ({"a": ["a"]}, "expected no circle"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, "expected no circle"),
    ],
)
def test_what_a_source_is_composed_of_exists_and_goes_in_no_circle(
    tmp_path: Path, cards: dict[str, list[str]], problem: str
) -> None:
    texts = {f"{name}.toml": f"composed_of = {names}\n{CARD}{VERSION}".encode() for name, names in cards.items()}
    put(tmp_path, texts | {"manifests/tiny.tsv": b""})
    with pytest.raises(CatalogError, match=rf"a\.toml: key 'composed_of': {problem}"):
        read_card(tmp_path / "a.toml")


def test_a_circle_that_a_card_is_not_part_of_is_no_endless_search(tmp_path: Path) -> None:
    cards = {"a": ["b"], "b": ["c"], "c": ["b"]}
    texts = {f"{name}.toml": f"composed_of = {names}\n{CARD}{VERSION}".encode() for name, names in cards.items()}
    put(tmp_path, texts | {"manifests/tiny.tsv": b""})
    assert read_card(tmp_path / "a.toml").composed_of == ("b",)
    with pytest.raises(CatalogError, match=r"b\.toml: key 'composed_of': expected no circle"):
        read_card(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import covid_datasets.builders.x", {"x"}),
        ("import covid_datasets.builders.x as y, json", {"x"}),
        ("from covid_datasets.builders import x as y, z", {"x", "z"}),
        ("from covid_datasets.builders.x import records", {"x"}),
        ("from covid_datasets.builders import (\n    x,\n)", {"x"}),
        ("from . import x", {"x"}),
        ("from .x import records", {"x"}),
        ("from ..builders.x import records", {"x"}),
        ("from ..builders import x", {"x"}),
        ("def f():\n    from covid_datasets.builders import x", {"x"}),
        ("if True:\n    import covid_datasets.builders.x", {"x"}),
        ("y = load('covid_datasets.builders.x')", {"x"}),
        ("from covid_datasets.builders import *", {ANY}),
        ("from covid_datasets import builders\nbuilders.x", {ANY}),
        ("from .. import builders", {ANY}),
        ("import importlib\nimportlib.import_module(name)", {ANY}),
        ("from importlib import import_module", {ANY}),
        ("__import__(name)", {ANY}),
        ("import covid_datasets\ncovid_datasets.builders.x.records", {ANY, "x"}),
        ("import covid_datasets as c\nc.builders.x.records", {ANY}),
        ("from builders import x", {"x"}),
        ("import builders.x as y", {"x"}),
        ("import sys\nsys.modules[name]", {ANY}),
        ("exec(text)", {ANY}),
        ("from covid_datasets.read.tables import read_csv\nx = 'builders.y'", set()),
    ],
)
def test_an_import_of_another_builder_is_seen_in_every_spelling(text: str, found: set[str]) -> None:
    assert imported_builders(text) == found
