"""Many archives whose files nobody listed: each file is looked at once, however many resources have its glob."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from covid_datasets.catalog.layout import absent, matches
from covid_datasets.catalog.resource import Copy, Pattern, Resource
from covid_datasets.raw import places as module
from covid_datasets.raw.globs import GlobMount
from covid_datasets.raw.kinds import archive
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.mounts import Place
from covid_datasets.raw.places import Places
from covid_datasets.raw.survey import survey

FILES, ARCHIVES = 50, 40


@pytest.mark.parametrize("packed", [True, False])
def test_each_file_is_matched_once(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    members = [[f"NCP/{number}/{file}/0001.png" for file in range(FILES)] for number in range(ARCHIVES)]
    if packed:
        found: dict[tuple[str, ...], list[str]] = {("/data",): [f"{at}.zip" for at in range(ARCHIVES)]}
        found |= {(f"/data/{at}.zip",): inside for at, inside in enumerate(members)}
    else:
        found = {("/data",): [f"raw/{path}" for inside in members for path in inside]}
    looked: list[str] = []

    def counting(path: str, globs: tuple[str, ...]) -> bool:
        looked.append(path)
        return matches(path, globs)

    monkeypatch.setattr(module, "matches", counting)
    places = Places(found)
    for at in range(ARCHIVES):
        pattern = Pattern(glob="NCP/*/*/*", what="a slice", required=True)
        copies = (Copy(url=f"https://example.org/{at}.zip"),)
        mount = archive.find(places, Resource(name=f"part-{at}", kind="archive", files=(pattern,), copies=copies))
        assert mount is not None
        assert mount.location == ((f"/data/{at}.zip",) if packed else ("/data",))
        assert mount.root == ("" if packed else "raw/")  # type: ignore[attr-defined]
    assert len(looked) == FILES * ARCHIVES


def test_parts_that_were_unpacked_into_one_folder_are_surveyed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in range(FILES):
        (tmp_path / f"NCP/1/{file}").mkdir(parents=True)
        (tmp_path / f"NCP/1/{file}/0001.png").write_bytes(b"x")
    pattern = Pattern(glob="NCP/*/*/*", what="a slice", required=True)
    copies = tuple(Copy(url=f"https://example.org/{at}.zip") for at in range(ARCHIVES))
    parts = tuple(
        Resource(name=f"p-{at}", kind="archive", files=(pattern,), copies=(copies[at],)) for at in range(ARCHIVES)
    )
    placed: list[str] = []
    surveyed: list[int] = []

    def placing(mount: GlobMount, path: str) -> Place | None:
        placed.append(path)
        return place_of(mount, path)

    def surveying(patterns: Sequence[Pattern], present: Collection[str]) -> list[str]:
        surveyed.append(len(present))
        return absent(patterns, present)

    place_of = GlobMount.place_of
    monkeypatch.setattr(GlobMount, "place_of", placing)
    monkeypatch.setattr(archive, "absent", surveying)
    found = mount_local(tmp_path, parts)
    assert survey(parts, found.mounts).missing == ()
    assert len(found.mounts) == ARCHIVES
    assert len(placed) == 2 * FILES, "once to find what is extra, once to find what is missing"
    assert surveyed == [FILES]
