"""Sources of which nobody knows the patients: what is kept together, what is counted, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from covid_datasets.catalog.cards import load_card
from covid_datasets.cli import main
from covid_datasets.contribute.publish import propose_splits
from covid_datasets.errors import InvalidRecordError, UsageError
from covid_datasets.load.dataset import load_dataset
from covid_datasets.load.splits import audit, audit_build, load_splits
from covid_datasets.load.stored import open_table
from covid_datasets.load.verify import verify
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.result import Built
from covid_datasets.splits.index import Index
from covid_datasets.view.page import page
from tests.sources import chest
from tests.test_conformance import invented_groups
from tests.tiny import CARD, installed

PICTURES = 12
FILES = (
    '\n[versions.1]\nresources = ["files"]\n\n[[resources]]\nname = "files"\nkind = "folder"\nsteps = ["Make it."]\n'
)
FILES += 'files = [{ glob = "*/*.png", what = "a picture", required = true }]\n'
BUILDER = """
from covid_datasets.schema import File, Record

def records(raw):
    for path in raw.paths("*.png"):
        yield Record(sample_id=path.replace("/", "-"), image=File(path), modality="CXR", {tie})
"""
TIES = {"all": "", "folder": 'ties=("folder:" + path.partition("/")[0],)', "near-duplicates": ""}


def card(group: str) -> str:
    warning = 'warning = "Nobody knows."\n'
    known = f'known = "none"\ngroup = "{group}"\n{warning}'
    return CARD.replace('known = "all"\n', known) + FILES


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of six pictures; in the second one is nearly, and one wholly, the same as one in the first."""
    folder = tmp_path_factory.mktemp("tree")
    for number in range(PICTURES):
        path = folder / f"f{number // 6}" / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(chest(number if number < 10 else number - 10, modality="CXR"))
    last = Image.open(path)
    last.point(lambda value: min(value + 3, 255)).save(path)
    return folder


def build(name: str, tree: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, tie: str = "") -> Iterator[Built]:
    builders = {name: BUILDER.format(tie=tie or TIES.get(name.replace("_", "-"), ""))}
    with installed(folder / name, monkeypatch, {name: card(name.replace("_", "-"))}, builders):
        yield build_dataset(name, data_dir=tree, cache_dir=folder / "cache", num_proc=1)


def test_all_as_one_group_is_train_and_never_one_patient(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for built in build("all", tree, tmp_path, monkeypatch):
        assert (built.rows, built.patients, built.groups) == (PICTURES, None, 1)
        assert dict(built.splits) == {"train": PICTURES, "validation": 0, "test": 0}
        rows = open_table(built).select(["patient_id", "patient_known"]).to_pylist()
        assert rows == [{"patient_id": "all/*", "patient_known": False}] * PICTURES
        said = load_card("all").patients.consequence
        assert "one group and in one split, `train`" in said
        assert said in built.report()
        assert said in page(load_card("all"))
        assert "12 rows of unknown patients in 1 group" in built.report()
        with pytest.warns(UserWarning, match="all: Nobody knows which rows show one person"):
            load_dataset("all", data_dir=tree, cache_dir=tmp_path / "cache", framework="numpy")
        with pytest.warns(UserWarning, match="all: Nobody knows which rows show one person"):
            streams = load_dataset("all", data_dir=tree, cache_dir=tmp_path / "other", streaming=True)
        assert {row["patient_id"] for row in streams["train"]} == {"all/*"}
        assert main(["build", "all", "--data-dir", str(tree), "--cache-dir", str(tmp_path / "cache")]) == 0
        assert "12 of unknown patients in 1 group" in capsys.readouterr().out
        assert main(["splits", "all", "--cache-dir", str(tmp_path / "cache")]) == 0
        assert capsys.readouterr().out.splitlines()[1].split()[:5] == ["train", "12", "?", "12", "1"]
        assert propose_splits("all", cache_dir=tmp_path / "cache") == "patient_id,split\n*,train\n"
        assert verify(built.path).ok
        assert invented_groups(load_card("all"), built) == ""


def test_folders_are_groups(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for built in build("folder", tree, tmp_path, monkeypatch):
        assert (built.patients, built.groups) == (None, 1), "the same pictures are in both folders"
        assert set(open_table(built).column("patient_id").to_pylist()) == {"folder/folder:f0", "folder/folder:f1"}
        assert invented_groups(load_card("folder"), built) == ""


def test_an_id_for_each_picture_is_refused_by_the_suite(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for built in build("folder", tree, tmp_path, monkeypatch, tie='ties=("picture:" + path,)'):
        assert "12 of 12 rows are a group of their own" in invented_groups(load_card("folder"), built)


def test_near_duplicates_are_found_while_building(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for built in build("near_duplicates", tree, tmp_path, monkeypatch):
        assert (built.rows, built.patients, built.groups) == (PICTURES, None, PICTURES - 2)
        assert set(open_table(built).column("patient_id").to_pylist()) == {None}
        index = Index.read(built.path)
        split = dict(zip(index.texts("sample_id"), index.texts("split"), strict=True))
        for copy, original in (("f1-10.png", "f0-00.png"), ("f1-11.png", "f0-01.png")):
            assert split[f"near_duplicates/{copy}"] == split[f"near_duplicates/{original}"]
        assert len(set(split.values())) > 1, "not all are where one id for all would put them"
        assert not audit_build(built, "patient").leaks
        assert verify(built.path, pixels=True).ok
        table = load_splits("near_duplicates", "fold-1-of-3", cache_dir=tmp_path / "cache")
        assert set(table.column("split").to_pylist()) == {"train", "validation", "test"}
        assert "patients: expected" not in built.report()
        lines = propose_splits("near_duplicates", cache_dir=tmp_path / "cache").splitlines()
        assert len(lines) == PICTURES + 1
        with pytest.raises(UsageError, match="verify: expected 'full' for near_duplicates, found 'bytes'"):
            build_dataset("near_duplicates", data_dir=tree, cache_dir=tmp_path / "cache", verify="bytes")
        with pytest.raises(UsageError, match="streaming: expected a finished build of near_duplicates"):
            load_dataset("near_duplicates", data_dir=tree, cache_dir=tmp_path / "other", streaming=True)
        with pytest.warns(UserWarning, match="scores on these splits are too good"):
            rows = load_dataset(built.id, split="all", data_dir=tree, cache_dir=tmp_path / "cache", framework="numpy")
        assert [row["patient_id"] for row in rows] == [None] * PICTURES


def test_a_record_of_nobody_and_no_group_is_refused(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    builders = {"folder": BUILDER.format(tie="")}
    with (
        installed(tmp_path / "folder", monkeypatch, {"folder": card("folder")}, builders),
        pytest.raises(InvalidRecordError, match="patient: unknown, so ties must hold the narrowest group"),
    ):
        build_dataset("folder", data_dir=tree, cache_dir=tmp_path / "cache", num_proc=1)


def test_one_known_film_takes_no_stranger_along(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded with a source that shows one of its films, a source of strangers loses that film to the other's split."""
    other = tmp_path / "tree"
    for number in range(4):
        (other / "f").mkdir(parents=True, exist_ok=True)
        (other / f"f/{number}.png").write_bytes(chest(50 + number, modality="CXR"))
    shared = Image.open(tree / "f0/03.png")
    shared.resize((shared.width * 3 // 4, shared.height * 3 // 4)).save(other / "f/0.png")
    cards = {"all": card("all"), "known": CARD + FILES}
    builders = {"all": BUILDER.format(tie=""), "known": BUILDER.format(tie="patient=path")}
    with installed(tmp_path / "both", monkeypatch, cards, builders) as catalog:
        (catalog / "splits").mkdir(exist_ok=True)
        (catalog / "splits/known.csv").write_text("patient_id,split\nf/0.png,test\nf/1.png,train\n", encoding="utf-8")
        cache = tmp_path / "cache"
        build_dataset("all", data_dir=tree, cache_dir=cache, num_proc=1)
        build_dataset("known", data_dir=other, cache_dir=cache, num_proc=1)
        with pytest.warns(UserWarning, match="Nobody knows which rows"):
            loaded = load_dataset(["all", "known"], cache_dir=cache, framework="numpy")
        split = {row["sample_id"]: name for name, rows in loaded.items() for row in rows}
        assert split["all/f0-03.png"] == split["known/f-0.png"] == "test"
        strangers = {name: where for name, where in split.items() if name.startswith("all/")}
        assert strangers == dict.fromkeys(strangers, "train") | {"all/f0-03.png": "test"}
        group = {row["sample_id"]: row["group_id"] for rows in loaded.values() for row in rows}
        assert (group["all/f0-03.png"], group["all/f0-04.png"]) == ("known/f/0.png", "all/*")
        assert not audit(["all", "known"], cache_dir=cache).leaks
