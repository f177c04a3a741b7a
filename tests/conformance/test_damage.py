"""Damage that befalls every source is told: by a notice, by a build that stops, by a clear error of ours.

A raw exception never comes out, and never the same or a lesser result without a word. What a source leaves untold,
its module owns up to in ``UNTOLD``, with the reason: file and damage as a failure names them, or a kind of damage to
pictures, such as a missing file where nothing lists them.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pytest

from covid_datasets.catalog.cards import load_card
from covid_datasets.errors import CovidDatasetsError
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.raw.folders import Folder
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.survey import survey
from covid_datasets.raw.tree import RawTree
from covid_datasets.schema import CONTENT, File, Made, Notice, Parts, Record
from tests.damage import PICTURE_DAMAGE, SHEETS, Damage, damages
from tests.demands import PICTURES, every_build, every_image_build, made_of, of_another_config, records_of
from tests.small import SmallSources, source_module

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")


@pytest.fixture
def tree(name: str, small: SmallSources, tmp_path: Path) -> Path:
    """Return a copy of the small tree, to damage."""
    return Path(shutil.copytree(small.tree(name), tmp_path / "tree"))


@dataclass(frozen=True)
class Said:
    """What comes of a tree: notices, what is stored of each sample but for its source row, and ids given twice."""

    notices: Counter[str]
    samples: dict[str, object]
    twice: list[str]
    nobodys: list[str]
    blank: list[str]


@every_build
def test_damaged_tables_are_told(
    name: str, config: str, tree: Path, small: SmallSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, read = said_reading(name, config, tree, monkeypatch)
    untold = getattr(source_module(name), "UNTOLD", {})
    wrong: list[str] = []
    for path in read:
        data = (tree / path).read_bytes()
        for damage in damages(path, data):
            if damage.data is None:
                (tree / path).unlink()
            else:
                (tree / path).write_bytes(damage.data)
            if f"{path}: {damage}" not in untold and (problem := problem_of(name, config, tree, path, damage, sound)):
                wrong.append(f"{path}: {damage}: {problem}")
        (tree / path).write_bytes(data)
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def problem_of(name: str, config: str, tree: Path, path: str, damage: Damage, sound: Said) -> str:
    """Say what is wrong with how a damaged file is taken; empty where nothing is."""
    if damage.data is None and any(path in found for found in missing(name, config, tree)):
        return ""  # the engine tells before a builder runs
    try:
        said = said_by(name, config, tree)
    except CovidDatasetsError as error:
        return "" if Path(path).name in str(error) else f"the error does not name the file: {error}"
    except Exception as error:
        return f"raw {type(error).__name__}: {error}"
    for what, samples in (
        ("two records of one id", said.twice),
        ("neither a patient nor a tie", said.nobodys),
        ("an empty text where None is meant", said.blank),
    ):
        if samples:
            return f"{what}: {samples[:3]}"
    if said.notices - sound.notices:
        return ""
    if lost := sorted(sound.samples.keys() - said.samples.keys()):
        return f"records are lost without a notice: {lost[:3]}"
    if damage.kind == "empty cell":
        return ""  # what nobody wrote is unknown
    if damage.kind == "renamed column" and said.samples == sound.samples:
        return ""  # nothing is made of it, so it may be called as it likes
    return "nothing is told"


def missing(name: str, config: str, tree: Path) -> Sequence[str]:
    """List what the engine finds missing in a tree."""
    resources = load_card(name).choice(config=config).resources
    found = mount_local(tree, resources)
    lacking = [resource.path for resource in resources if resource.name not in found.mounts]
    return [*lacking, *survey(resources, found.mounts).missing]


def said_by(name: str, config: str, tree: Path) -> Said:
    """Sum up what a builder yields, and what the rows of a table are when they are read."""
    choice = load_card(name).choice(config=config)
    raw = RawTree.of_folder(tree, version=choice.version, config=config, options=choice.form.options)
    said = Said(Counter(), {}, [], [], [])
    tied = load_card(name).patients.group in ("all", "near-duplicates")  # the engine keeps such rows together
    for item in records_of(name, config, tree):
        if isinstance(item, Notice):
            said.notices[str(item)] += 1
            continue
        if item.sample_id in said.samples:
            said.twice.append(item.sample_id)
        stored: object = replace(item, source_row={})
        if item.rows is not None:
            rows = list(item.rows.function(raw, *item.rows.arguments))
            said.notices.update(str(row) for row in rows if isinstance(row, Notice))
            stored = repr([row for row in rows if not isinstance(row, Notice)])
        elif not (item.patient or item.ties or tied):
            said.nobodys.append(item.sample_id)
        if "" in (item.sample_id, item.patient, item.label):
            said.blank.append(item.sample_id)
        said.samples[item.sample_id] = stored
    return said


def said_reading(name: str, config: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Said, Sequence[str]]:
    """Sum up what comes of a sound tree, and list the files that are read for it."""
    seen: dict[str, None] = {}
    read, opened = Folder.read, Folder.open

    def reading(folder: Folder, path: str) -> bytes:
        seen.setdefault(path)
        return read(folder, path)

    def opening(folder: Folder, path: str) -> IO[bytes]:
        seen.setdefault(path)
        return opened(folder, path)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "read", reading)
        patch.setattr(Folder, "open", opening)
        said = said_by(name, config, tree)
    here = (path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.name.lower().endswith(SHEETS))
    tables = [path for path in here if not of_another_config(name, config, path)]
    assert seen or not tables, f"no table was read, though there are {len(tables)}: this test sees nothing"
    return said, list(seen)


@every_image_build
def test_damaged_pictures_are_told(name: str, config: str, tree: Path, small: SmallSources, tmp_path: Path) -> None:
    found = records_of(name, config, tree)
    made = made_of(found, tree)
    shown = [path for item in found if isinstance(item, Record) for path in files_of(item, made)]
    alone = [path for path, count in Counter(shown).items() if count == 1]
    done = dict(zip(alone[: len(alone) - 1], PICTURE_DAMAGE.items(), strict=False))
    for path, (_, damage) in done.items():
        damage(tree / path)
    resources = load_card(name).choice(config=config).resources
    # Of an archive nobody listed the files, so only its builder can tell that one is strange.
    listed = all(each.manifest or each.files or each.listing or each.path for each in resources)
    strays = {"stray.txt": b"left behind"} if listed else {}
    many = {item.content.path for item in found if isinstance(item, Record) and isinstance(item.content, Parts)}
    series = {path.rpartition("/")[0] for path in done} & many  # there, a stray would make up for a loss
    if kept := [path for path in alone if path not in done and path.rpartition("/")[0] not in series]:
        ending = max((ending for ending in PICTURES if kept[-1].lower().endswith(ending)), key=len)
        strays[f"{kept[-1].rpartition('/')[0]}/stray{ending}".lstrip("/")] = (tree / kept[-1]).read_bytes()
    for stray, data in strays.items():
        (tree / stray).write_bytes(data)
    with small.in_use():
        built = build_dataset(
            name, config, data_dir=tree, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True,
            accept_licence=True,
        )  # fmt: skip
    told = [f"{notice['where']} {notice['what']}" for notice in built.manifest()["notices"]]
    rows = open_table(built).select(list(CONTENT)).to_pylist()
    have = {row[kind]["path"] for row in rows for kind in CONTENT if row[kind]}
    have |= {file for path in have & made.keys() for file in made[path]}
    untold = getattr(source_module(name), "UNTOLD", {})
    for path, (kind, _) in done.items():
        assert path not in have, f"{kind} {path}: it is a row all the same"
        assert kind in untold or tells(told, path), f"{kind} {path}: no notice names it"
    for stray in strays:
        assert stray in have or tells(told, stray), f"stray file {stray}: no notice names it:\n" + "\n".join(told)


def tells(told: Sequence[str], path: str) -> bool:
    """Tell whether notices name a file, or the folder of the sample that it is a part of."""
    folder = path.rpartition("/")[0]
    return any(
        Path(path).name in line or (folder and line.startswith((f"{folder} ", f"{folder}/case"))) for line in told
    )


def files_of(record: Record, made: Mapping[str, set[str]]) -> tuple[str, ...]:
    """List the files that a record shows."""
    content = record.content
    paths: Iterable[str] = content.files if isinstance(content, Parts) else ()
    if isinstance(content, File):
        paths = (content.path,)
    elif isinstance(content, Made):
        paths = sorted(made.get(content.path, ()))
    return tuple(path for path in paths if path.lower().endswith(PICTURES))
