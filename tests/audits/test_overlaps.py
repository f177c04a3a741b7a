"""What sources have in common: found with its evidence, published as ties, and kept in one split."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image, ImageEnhance

from covid_datasets import OwnData, audit, build_dataset, load_dataset, load_splits, overlaps, propose_splits
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.published import published_splits, read_identities, told_apart
from covid_datasets.cli import main
from covid_datasets.contribute.publish import propose_ties, publish_ties
from covid_datasets.errors import CatalogError, NotBuiltError, NotThereError, UsageError
from covid_datasets.measure.image import measure
from covid_datasets.prepare.rows import INDEX_SCHEMA
from covid_datasets.splits.assign import SALT, hash_fraction
from covid_datasets.splits.crops import crop_correlation
from covid_datasets.splits.index import Index
from covid_datasets.splits.overlaps import Overlap, distinctive_name, find_overlaps
from tests.small import SmallSources
from tests.sources import chest

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
PAIR = ("cohen/b343e657.jpg", "hannover/b343e657.png")


def film(number: int) -> Image.Image:
    return Image.open(io.BytesIO(chest(number, modality="CXR", size=(640, 524))))


def index_of(*rows: dict[str, Any]) -> Index:
    usual = {"ties": [], "blank": False}
    return Index(pa.Table.from_pylist([usual | row | {"row": n} for n, row in enumerate(rows)], schema=INDEX_SCHEMA))


def looks(image: Image.Image) -> dict[str, Any]:
    data = io.BytesIO()
    image.save(data, "PNG")
    seen = measure(data.getvalue(), "", "x.png")
    return {"looks": [asdict(look) for look in seen.looks or ()]}


def never(first: int, second: int) -> float | None:
    raise AssertionError(f"expected no picture to be decoded, found a question about {first} and {second}")


# --- evidence ------------------------------------------------------------------------------------------------------


def test_equal_hashes_and_ties_of_different_sources_are_listed_pair_by_pair() -> None:
    index = index_of(
        {"sample_id": "a/1", "sha256": "00", "ties": ["figure:x"]},
        {"sample_id": "a/2", "sha256": "00", "pixel_hash": "11"},
        {"sample_id": "b/1", "sha256": "00"},
        {"sample_id": "c/1", "pixel_hash": "11", "ties": ["figure:x"]},
    )
    assert find_overlaps(index, never) == [
        Overlap("same bytes", 0, 2, True, "sha256 00"),
        Overlap("tie", 0, 3, True, "figure:x"),
        Overlap("same bytes", 1, 2, True, "sha256 00"),
        Overlap("same pixels", 1, 3, True, "pixel_hash 11"),
    ]


def test_blank_pictures_prove_nothing() -> None:
    rows = [{"sample_id": f"{source}/1", "sha256": "00", "pixel_hash": "1", "blank": True} for source in "ab"]
    assert find_overlaps(index_of(*rows), never) == []


def test_a_square_copy_in_another_contrast_is_a_near_duplicate() -> None:
    whole, other = film(1), film(2)
    square = ImageEnhance.Contrast(whole.crop((58, 0, 582, 524)).resize((2000, 2000))).enhance(1.3)
    index = index_of(
        {"sample_id": "a/1"} | looks(whole),
        {"sample_id": "a/2"} | looks(whole.resize((320, 262))),
        {"sample_id": "b/1"} | looks(square),
        {"sample_id": "b/2"} | looks(other),
    )
    found = find_overlaps(index, never)
    assert [(each.kind, each.first, each.second) for each in found] == [("near-duplicate", n, 2) for n in (0, 1)]
    assert all(each.evidence.endswith(", central square") for each in found)
    assert {(link.first, link.second) for link in index.near_links()} == {(0, 1), (0, 2), (1, 2)}


def test_one_name_is_confirmed_or_contradicted_by_looks() -> None:
    index = index_of(
        {"sample_id": "a/b343e657.jpg"}, {"sample_id": "a/x/00a1b2c3.jpg"}, {"sample_id": "a/deadbeef1.nii.gz"},
        {"sample_id": "b/B343E657.png"}, {"sample_id": "b/00a1b2c3.png"}, {"sample_id": "b/deadbeef1.nii.gz"},
    )  # fmt: skip
    asked: dict[tuple[int, int], float | None] = {(0, 3): 0.97, (1, 4): 0.4, (2, 5): None}
    found = {(each.first, each.second): each for each in find_overlaps(index, lambda one, other: asked[one, other])}
    assert found.keys() == asked.keys()
    assert found[0, 3] == Overlap("same name", 0, 3, True, "b343e657, confirmed by looks: correlation 0.970")
    assert (found[1, 4].proven, found[1, 4].evidence) == (
        False,
        "00a1b2c3, contradicted by looks: correlation 0.400",
    )
    assert (found[2, 5].proven, found[2, 5].evidence) == (
        False,
        "deadbeef1.nii, not compared: no picture that can be decoded",
    )


def test_a_name_that_one_source_uses_twice_says_nothing() -> None:
    samples = ("a/1/b343e657.jpg", "a/2/b343e657.jpg", "b/b343e657.png")
    assert find_overlaps(index_of(*({"sample_id": sample} for sample in samples)), never) == []


@pytest.mark.parametrize(
    "name", ["b343e657", "23032572", "67d668e570c242404ba82c7cbe2ca8f2-05be-0", "0004cfab-14fd-4e49-80ba-63a80b6bddd6",
             "1-s2.0-S0140673620303706-fx1_lrg", "kjr-21-e24-g001-l-a"]
)  # fmt: skip
def test_names_that_nobody_chooses_twice(name: str) -> None:
    assert distinctive_name(f"source/folder/{name}.png") == name.casefold()


@pytest.mark.parametrize("name", ["1", "0001", "00000001", "image_12", "fig-b", "ARDSSevere", "pneumonia-covid-chest"])
def test_names_that_anybody_may_choose(name: str) -> None:
    assert distinctive_name(f"source/{name}.png") == ""


@pytest.mark.parametrize("box", [(0, 0, 524, 524), (116, 0, 640, 524), (40, 20, 540, 500), (0, 0, 640, 524)])
def test_a_crop_is_found_inside_of_its_picture_and_nobody_else_is(box: tuple[int, int, int, int]) -> None:
    whole = film(1)
    crop = ImageEnhance.Brightness(whole.crop(box).resize((900, 900))).enhance(0.8)
    assert crop_correlation(whole, crop) == crop_correlation(crop, whole) >= 0.95
    assert max(crop_correlation(film(number), crop) for number in range(2, 6)) < 0.95


def test_flat_pictures_are_like_nothing() -> None:
    flat = Image.new("L", (64, 64), 80)
    assert crop_correlation(flat, flat) == 0.0
    assert crop_correlation(film(1), Image.new("L", (3, 1))) == 0.0


# --- small sources -------------------------------------------------------------------------------------------------


def apart(small: SmallSources, folder: Path) -> Path:
    """Write the tree of hannover with an id, for the patient who is in cohen too, that alone would go to test."""
    shutil.copytree(small.tree("hannover"), folder)
    patient = next(
        name for name in (f"{number:08x}" for number in range(1000)) if hash_fraction(f"hannover/{name}", SALT) >= 0.9
    )
    table = folder / "data.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("042f06a9", patient), encoding="utf-8")
    return folder


def test_the_small_sources_share_a_film(small: SmallSources) -> None:
    for name in ("cohen", "hannover", "covid_ct"):
        small.build(name)
    table = overlaps(["cohen", "hannover"], cache_dir=small.cache).to_pylist()
    assert {(row["first"], row["second"]) for row in table} == {PAIR}
    assert {row["kind"]: row["proven"] for row in table} == {"near-duplicate": True, "same name": True, "tie": True}
    assert (table[0]["first_patient"], table[0]["second_patient"]) == ("cohen/219", "hannover/042f06a9")
    assert table[0]["first_label"] == table[0]["second_label"] == "covid19"
    assert overlaps(["covid_ct", "hannover"], cache_dir=small.cache).num_rows == 0


@pytest.mark.parametrize("evidence", ["pixels", "tie"])
def test_a_film_in_two_sources_is_in_one_split(
    evidence: str, small: SmallSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = apart(small, tmp_path / "tree")
    # The manifest of the small tree knows the table that was there before.
    monkeypatch.setattr("covid_datasets.raw.tree.RawTree.identity", lambda raw, path: None)
    if evidence == "pixels":
        monkeypatch.setattr("covid_datasets.prepare.plan.read_identities", lambda dataset: {})
    how: dict[str, Any] = {"allow_missing": True, "verify": "bytes" if evidence == "tie" else "full"}
    for name, folder in (("cohen", small.tree("cohen")), ("hannover", tree)):
        build_dataset(name, data_dir=folder, cache_dir=tmp_path, num_proc=1, **how)
    alone = {
        row["sample_id"]: row["split"]
        for name in ("cohen", "hannover")
        for row in load_splits(name, cache_dir=tmp_path).to_pylist()
    }
    assert (alone[PAIR[0]], alone[PAIR[1]]) == ("train", "test"), (
        "expected a pair that only a joint split keeps together"
    )
    loaded = load_dataset(["cohen", "hannover"], framework="numpy", cache_dir=tmp_path, **how)
    joint = {row["sample_id"]: split for split, rows in loaded.items() for row in rows}
    assert joint.keys() == alone.keys()
    assert joint[PAIR[0]] == joint[PAIR[1]]
    report = audit(["cohen", "hannover"], level="quick", cache_dir=tmp_path)
    assert not report.leaks
    assert report.dataset == "cohen, hannover"
    groups = {finding.kind: finding.groups for finding in report.findings}
    assert (groups["near-duplicate"], groups["tie"]) == (1, 0 if evidence == "pixels" else 2)


def test_a_damaged_picture_bears_nothing_out(
    small: SmallSources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small.tree("hannover"), tree)
    (tree / "png/b343e657.png").write_bytes(b"no picture")
    monkeypatch.setattr("covid_datasets.raw.tree.RawTree.identity", lambda raw, path: None)
    for name, folder in (("cohen", small.tree("cohen")), ("hannover", tree)):
        build_dataset(name, data_dir=folder, cache_dir=tmp_path, num_proc=1, allow_missing=True, verify="bytes")
    found = {row["kind"]: row for row in overlaps(["cohen", "hannover"], cache_dir=tmp_path).to_pylist()}
    assert found.keys() == {"same name", "tie"}
    assert found["same name"]["evidence"] == "b343e657, not compared: no picture that can be decoded"
    assert not found["same name"]["proven"]


def test_what_is_not_built_or_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="cohen"):
        overlaps(["cohen", "hannover"], cache_dir=tmp_path)
    for names in (["cohen"], ["cohen", "cohen@2020-06-22"], [], "cohen"):
        with pytest.raises(UsageError, match="expected two or more different datasets"):
            overlaps(names, cache_dir=tmp_path)


# --- publishing ----------------------------------------------------------------------------------------------------


def row(first: str, second: str, kind: str = "near-duplicate", *, proven: bool = True) -> dict[str, Any]:
    return {"first": first, "second": second, "kind": kind, "proven": proven, "evidence": "e"}


def test_proven_pairs_get_one_tie_for_all_who_share_the_picture() -> None:
    shared = [row("a/1", "b/1"), row("b/1", "c/9")]
    unproven, tied = row("a/2", "b/2", proven=False), [row("a/3", "b/3", "tie"), row("a/3", "b/3")]
    lines = propose_ties([*shared, unproven, *tied])
    assert lines == {
        "a": ["1\tpicture:a/1\t\tshows what b/1 shows: near-duplicate (e)"],
        "b": [
            "1\tpicture:a/1\t\tshows what a/1 shows: near-duplicate (e)",
            "1\tpicture:a/1\t\tshows what c/9 shows: near-duplicate (e)",
        ],
        "c": ["9\tpicture:a/1\t\tshows what b/1 shows: near-duplicate (e)"],
    }


def test_publishing_adds_lines_once_and_keeps_those_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "catalogs" / "identities"
    folder.mkdir(parents=True)
    (folder / "a.tsv").write_text("sample_id\ttie\tflag\tevidence\n2\tfigure:x\t\twhy\n", encoding="utf-8")
    found = [row("a/1", "b/1"), row("a/1", "b/1", "same name")]
    assert publish_ties(found, tmp_path) == {folder / "a.tsv": 1, folder / "b.tsv": 1}
    published = (folder / "a.tsv").read_text(encoding="utf-8")
    assert published.splitlines()[1:] == [
        "1\tpicture:a/1\t\tshows what b/1 shows: near-duplicate (e); same name (e)",
        "2\tfigure:x\t\twhy",
    ]
    assert read_identities("b", folder) == {"1": (("picture:a/1",), ())}
    assert publish_ties(found, tmp_path) == {folder / "a.tsv": 0, folder / "b.tsv": 0}
    assert (folder / "a.tsv").read_text(encoding="utf-8") == published


def test_publishing_needs_a_checkout(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="expected a checkout"):
        publish_ties([row("a/1", "b/1")], tmp_path)


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command(small: SmallSources, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cohen", "hannover"):
        small.build(name)
    command = ["overlaps", "cohen", "hannover", "--cache-dir", str(small.cache)]
    assert main(command) == 0
    told = capsys.readouterr()
    assert told.err.startswith("Comparing: ")
    lines = told.out.splitlines()
    assert lines[0].split() == ["first", "second", "kind", "proven", "first_label", "second_label", "evidence"]
    assert [line.split()[:2] for line in lines[1:4]] == [list(PAIR)] * 3
    assert lines[-1] == (
        "1 proven pairs of 2 patient ids, 0 with different labels; 0 pairs of which only the name says so"
    )
    (tmp_path / "catalogs" / "identities").mkdir(parents=True)
    assert main([*command, "--json", "--publish", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [found["kind"] for found in answer["overlaps"]] == ["near-duplicate", "same name", "tie"]
    assert answer["published"] == {}, "what has a tie already gets no other"
    assert main(["overlaps", "cohen", "--cache-dir", str(small.cache)]) == 2
    assert "UsageError: names: expected two or more" in capsys.readouterr().err


def test_a_proposal_beside_another_source_follows_what_is_published_there(small: SmallSources) -> None:
    for name in ("cohen", "hannover"):
        small.build(name)
    published = published_splits("cohen")
    proposed = propose_splits("hannover", beside=["cohen"], cache_dir=small.cache)
    rows = dict(line.split(",") for line in proposed.splitlines()[1:])
    index = Index.join([small.build("cohen").path, small.build("hannover").path])
    patients = index.texts("patient_id")
    across = [link for link in index.links if patients[link.first][:5] != patients[link.second][:5]]
    shared = {tuple(sorted((patients[link.first], patients[link.second]))) for link in across}
    assert shared, "the small trees share a film"
    for ours, theirs in shared:
        assert rows[theirs.removeprefix("hannover/")] == published[ours]


# --- thorough -------------------------------------------------------------------------------------------------------


@pytest.fixture
def turned(tmp_path: Path) -> Path:
    """Build a folder of pictures of one's own: of person 1 a film, and as person 3 the same one turned."""
    grain = Image.effect_mandelbrot((640, 524), (-2, -1, 1, 1), 60)
    other = Image.effect_mandelbrot((640, 524), (-0.8, 0.0, -0.7, 0.1), 90)
    for person, shown in enumerate((grain, other, grain.rotate(20).crop((90, 70, 560, 450)), Image.new("L", (64, 64)))):
        folder = tmp_path / "own" / "covid" / f"P{person}"
        folder.mkdir(parents=True)
        shown.save(folder / "1.png")
    build_dataset(OwnData(tmp_path / "own", patient_level=1), cache_dir=tmp_path / "cache", num_proc=1)
    return tmp_path


def test_a_turned_copy_within_a_source_is_found_only_thoroughly(
    turned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = overlaps(
        [OwnData(turned / "own", patient_level=1)], thorough=True, cache_dir=turned / "cache"
    ).to_pylist()
    assert found["kind"] == "registered"
    assert (found["proven"], found["together"]) == (True, False)
    assert [found[side].rsplit("/", 2)[1] for side in ("first", "second")] == ["P0", "P2"]
    assert " points, correlation 0.9" in found["evidence"]
    with pytest.raises(UsageError, match="to compare one with itself, look thoroughly"):
        overlaps([OwnData(turned / "own", patient_level=1)], cache_dir=turned / "cache")


def test_the_command_looks_thoroughly(turned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_dataset(turned / "own", cache_dir=turned / "cache", num_proc=1)
    capsys.readouterr()
    assert main(["overlaps", str(turned / "own"), "--thorough", "--json", "--cache-dir", str(turned / "cache")]) == 0
    (found,) = json.loads(capsys.readouterr().out)["overlaps"]
    assert found["kind"] == "registered"


def test_who_was_told_apart_is_never_proven_nor_tied(turned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = overlaps(
        [OwnData(turned / "own", patient_level=1)], thorough=True, cache_dir=turned / "cache"
    ).to_pylist()
    assert propose_ties([found])
    told = {frozenset((found["first"], found["second"])): "two people, says the article"}
    monkeypatch.setattr("covid_datasets.audits.overlaps.told_apart", lambda: told)
    (again,) = overlaps(
        [OwnData(turned / "own", patient_level=1)], thorough=True, cache_dir=turned / "cache"
    ).to_pylist()
    assert not again["proven"]
    assert again["evidence"] == f"{found['evidence']}; told apart: two people, says the article"
    assert propose_ties([again]) == {}


def test_of_many_copies_as_many_pairs_are_tied_as_join_them() -> None:
    many = [row(f"a/{one}", f"a/{other}", "registered") for one in range(4) for other in range(one + 1, 4)]
    lines = propose_ties(many)["a"]
    assert sorted(lines) == [
        "0\tpicture:a/0\t\tshows what a/1 shows: registered (e); covid-datasets overlaps a --thorough",
        "0\tpicture:a/0\t\tshows what a/2 shows: registered (e); covid-datasets overlaps a --thorough",
        "0\tpicture:a/0\t\tshows what a/3 shows: registered (e); covid-datasets overlaps a --thorough",
        *(
            f"{number}\tpicture:a/0\t\tshows what a/0 shows: registered (e); covid-datasets overlaps a --thorough"
            for number in (1, 2, 3)
        ),
    ]
    assert propose_ties([each | {"together": True} for each in many]) == {}
    assert propose_ties([each | {"together": each["first"] == "a/0"} for each in many]) == {}
    others = [row("a/0", "a/2"), row("a/2", "a/1"), row("a/3", "a/1")]
    assert "registered" not in str(propose_ties([row("a/0", "a/1", "registered"), *others]))


def test_pairs_that_are_told_apart_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "apart.tsv"
    assert told_apart(path) == {}
    path.write_text("first\tsecond\tevidence\na/1\tb/2\tlooked at\n", encoding="utf-8")
    assert told_apart(path) == {frozenset(("a/1", "b/2")): "looked at"}
    for line in ("a/1\tb/2\t", "a/1\ta/1\twhy", "\tb/2\twhy"):
        path.write_text(f"first\tsecond\tevidence\n{line}\n", encoding="utf-8")
        with pytest.raises(CatalogError, match="line 2"):
            told_apart(path)


def test_the_installed_pairs_name_samples_of_sources() -> None:
    for pair in told_apart():
        assert all((catalog_folder() / f"{sample.split('/', 1)[0]}.toml").exists() for sample in pair)
