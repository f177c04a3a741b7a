"""Many archives whose files nobody listed: each file is looked at once, however many resources have its glob."""

from __future__ import annotations

import pytest

from covid_datasets.catalog.layout import matches
from covid_datasets.catalog.resource import Copy, Pattern, Resource
from covid_datasets.raw import places as module
from covid_datasets.raw.kinds import archive
from covid_datasets.raw.places import Places

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
