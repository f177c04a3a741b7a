"""A folder of a user's is listed once in a build, and each file in it is looked at once before it is read."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from covid_datasets.prepare.engine import build_dataset
from tests.sources import chest

FILES = [
    f"{finding}/P{patient}/{number}.png" for finding in ("covid", "normal") for patient in (1, 2) for number in (1, 2)
]


def write(folder: Path) -> None:
    for number, name in enumerate(FILES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(chest(number, modality="CXR"))


def test_every_folder_is_listed_once_and_every_file_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data")
    calls: Counter[tuple[str, str]] = Counter()

    def counted(name: str) -> None:
        real = getattr(os, name)

        def counting(path: str | Path | int, **options: object) -> object:
            if not isinstance(path, int) and str(path).startswith(str(tmp_path / "data")):
                calls[name, str(Path(path).relative_to(tmp_path / "data"))] += 1
            return real(path, **options)

        monkeypatch.setattr(os, name, counting)

    counted("scandir")
    counted("stat")
    built = build_dataset(str(tmp_path / "data"), cache_dir=tmp_path / "cache", num_proc=1)
    assert built.rows == len(FILES)
    folders = {".", *(str(parent) for name in FILES for parent in Path(name).parents)}
    assert {place: count for (call, place), count in calls.items() if call == "scandir"} == dict.fromkeys(folders, 1)
    assert {place: calls["stat", place] for place in FILES} == dict.fromkeys(FILES, 1)
