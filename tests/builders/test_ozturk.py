"""DarkCovidNet's set: whose a film is, by the names of two other sources."""

from __future__ import annotations

import shutil
from pathlib import Path

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.raw.tree import RawTree
from tests.builders.test_builders import build, count
from tests.sources import ozturk as source


def test_every_film_of_the_manifest_has_somebody(tmp_path: Path) -> None:
    paths = list(read_manifest("ozturk-ee3e2cff.tsv"))
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    records, notices = build("ozturk", RawTree.of_folder(tmp_path))
    assert notices == []
    of = {path: record.patient for path, record in records.items()}
    folders = {name: {of[path] for path in of if path.startswith(f"{name}/")} for name in ("No_findings", "Pneumonia")}
    covid = {of[path] for path in of if path.startswith("Covid-19/")}
    assert (len(paths), len(covid), {name: len(who) for name, who in folders.items()}) == (
        1125,
        83,
        {"No_findings": 332, "Pneumonia": 371},
    )
    assert len(folders["No_findings"] & folders["Pneumonia"]) == 21
    assert len(load_card("ozturk").facts["patients"]) == 125


def test_a_name_of_neither_is_told_and_kept_with_its_folder(tmp_path: Path) -> None:
    source.write(tmp_path)
    shutil.copy(tmp_path / "Pneumonia/00000150_002.png", tmp_path / "Pneumonia/scan.png")
    shutil.copy(tmp_path / "Covid-19/nejmc2001573_f1a.jpeg", tmp_path / "Covid-19/00000150_002.png")
    records, notices = build("ozturk", RawTree.of_folder(tmp_path))
    assert count(notices) == {"unexpected name": 2}
    assert (records["Pneumonia/scan.png"].patient, records["Pneumonia/scan.png"].ties) == (None, ("folder:Pneumonia",))
    assert records["Covid-19/00000150_002.png"].patient is None
