"""Every source that a public bucket serves: its listing is whole, any layout gives the same, and a bucket cannot lie.

A new source is in as soon as its card has a resource of the kind ``series``; nothing here names one.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pydicom")

from covid_datasets import build_dataset
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import Series, chosen, read_listing
from covid_datasets.catalog.resource import Resource
from covid_datasets.contribute.listing import fingerprint
from covid_datasets.errors import ChangedUpstreamError, IncompleteSourceError, MissingUpstreamError
from covid_datasets.fetch.places import place
from covid_datasets.prepare.result import Built
from covid_datasets.raw.bucket import list_url
from tests.buckets import bucket_list, read_folders, write_nbia
from tests.demands import SOURCES
from tests.server import serve
from tests.small import NO_PROXY, SmallSources, environment
from tests.sources import pack

LISTED = sorted(name for name, card in SOURCES.items() if any(part.kind == "series" for part in card.resources))

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")
every_listed = pytest.mark.parametrize("name", LISTED)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallSources]:
    sources = SmallSources(tmp_path_factory.mktemp("listed"))
    for name in LISTED:
        sources.tree(name)
    with sources.in_use():
        yield sources


def wanted(name: str) -> tuple[Resource, dict[str, Series]]:
    """Choose the series that the first config is built from."""
    resource = next(part for part in load_card(name).choice().resources if part.kind == "series")
    return resource, dict(chosen(resource.listing, resource.only))


def served(small: SmallSources, name: str, folder: Path) -> Path:
    """Copy what the bucket serves, to be spoilt."""
    return shutil.copytree(small.tree(name, "served"), folder / "served")


def build(name: str, tree: Path, cache: Path, *, allow_missing: bool) -> Built:
    with serve(tree) as server, environment(NO_PROXY):
        return build_dataset(
            name, mirror=server.url(""), cache_dir=cache, num_proc=1, offline=False, allow_missing=allow_missing
        )


@every_listed
def test_the_listing_is_the_one_that_the_card_counts(name: str) -> None:
    card = load_card(name)
    _, version = card.version()
    listings = {part.listing for part in card.resources if part.listing}
    found = [series for listing in listings for series in read_listing(listing).values()]
    assert f"SHA-256 of the sorted ids of all series, joined by newlines: {fingerprint(s.folder for s in found)}." in (
        " ".join(version.note.split())
    )
    assert len({series.patient for series in wanted(name)[1].values()}) == version.patients
    assert f"{len(found):,}" in card.summary + version.note
    for part in card.resources:
        if part.listing:
            buckets = {series.row["aws_bucket"] for series in chosen(part.listing, part.only).values()}
            assert [f"https://{bucket}.s3.amazonaws.com/" for bucket in buckets] == [copy.url for copy in part.copies]


@every_listed
def test_its_card_names_both_routes_and_the_index_that_it_was_listed_from(name: str) -> None:
    """One of the routes goes away some day, and an index of another day may list other series."""
    card = load_card(name)
    steps = " ".join(card.access.steps)
    assert "public bucket of Imaging Data Commons" in steps
    assert f"The Cancer Imaging Archive (collection {card.title}, by its NBIA Data Retriever)" in steps
    assert re.search(r"Imaging Data Commons .*listed from v\d+\.", " ".join(card.version()[1].note.split()))


@every_listed
@pytest.mark.parametrize("zipped", [False, True])
def test_the_layout_of_nbia_gives_the_same(name: str, zipped: bool, small: SmallSources, tmp_path: Path) -> None:
    tree, folder = small.tree(name), tmp_path / "nbia"
    listing = read_listing(wanted(name)[0].listing)
    write_nbia(folder, dict(read_folders(tree, listing)), listing, load_card(name).title)
    for path in tree.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    if zipped:
        pack(folder, tmp_path / "zipped" / "download.zip", "")
        folder = tmp_path / "zipped"
    again = build_dataset(name, data_dir=folder, cache_dir=tmp_path / "cache", num_proc=1, allow_missing=True)
    assert again.fingerprint == small.build(name).fingerprint


@every_listed
def test_a_bucket_that_lists_less_is_an_error_or_a_counted_series(
    name: str, small: SmallSources, tmp_path: Path
) -> None:
    tree = served(small, name, tmp_path)
    resource, listing = wanted(name)
    root = resource.copies[0].url
    folder, series = max(listing.items(), key=lambda item: item[1].files)
    path = tree / place(list_url(root, f"{folder}/"))
    sizes = {
        f"{folder}/{file.name}": file.stat().st_size
        for file in sorted((tree / place(f"{root}{folder}/any")).parent.glob("*.dcm"))
    }
    sizes.popitem()
    path.write_bytes(bucket_list(sizes))
    expected = rf"{folder} \({re.escape(series.series)}\): expected {series.files} files, found {series.files - 1}"
    with pytest.raises((ChangedUpstreamError, MissingUpstreamError, IncompleteSourceError), match=expected):
        build(name, tree, tmp_path / "cache", allow_missing=False)
    built = build(name, tree, tmp_path / "cache", allow_missing=True)
    assert built.incomplete
    assert any(folder in notice["where"] for notice in built.manifest()["notices"] if notice["dropped"])
    whole = small.build(name)
    assert built.rows < whole.rows
    assert built.fingerprint != whole.fingerprint


@every_listed
def test_a_file_of_somebody_else_is_no_sample(name: str, small: SmallSources, tmp_path: Path) -> None:
    tree = shutil.copytree(small.tree(name), tmp_path / "tree")
    _, listing = wanted(name)
    of_one_size = [folder for folder, series in listing.items() if series.files in (1, 5)]
    own, other = of_one_size[:2]
    kept, strange = (sorted((tree / folder).glob("*.dcm"))[0] for folder in (own, other))
    shutil.copyfile(strange, kept)
    built = build_dataset(name, data_dir=tree, cache_dir=tmp_path, num_proc=1, allow_missing=True)
    dropped = {notice["where"] for notice in built.manifest()["notices"] if notice["dropped"]}
    assert f"{own}/{kept.name}" in dropped
    assert built.rows == small.build(name).rows - 1
