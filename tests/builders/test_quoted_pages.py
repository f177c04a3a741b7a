"""Rows that were copied from a page of a case site, and the site's own rows: one group, whoever copied them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from covid_datasets import build_dataset, load_dataset
from covid_datasets.catalog.cards import load_card, names
from covid_datasets.prepare.quoted import addresses_of, patient_of
from tests.small import SmallSources
from tests.sources import chest

pytestmark = pytest.mark.filterwarnings("ignore:.* is INCOMPLETE")

SITES = sorted(name for name in names() if load_card(name).patients.address)
COLLECTIONS = sorted(name for name in names() if load_card(name).quotes)
PAGES = {
    "eurorad": "https://www.eurorad.org/case/16663",
    "radiopaedia": "https://radiopaedia.org/cases/covid-19-pneumonia-15?lang=us",
    "sirm": "https://www.sirm.org/2020/03/10/covid-19-caso-24/",
}
FOLDERS = {"eurorad": "case-10483", "sirm": "case-71"}
"""Cases of which the small cohen has copies; of Radiopaedia it lists a volume alone."""


def test_every_collection_knows_every_site() -> None:
    assert sorted(PAGES) == SITES
    quoted = {name: sorted(addresses_of(load_card(name))) for name in COLLECTIONS}
    films = ("cohen", "covid_xray_segmentations", "v7_xray")
    assert {name: quoted[name] for name in films} == dict.fromkeys(films, SITES)
    assert all(set(sites) <= set(SITES) for sites in quoted.values())


def test_no_site_takes_the_page_of_another_for_its_own() -> None:
    for site, url in PAGES.items():
        addresses = {other: load_card(other).patients.address for other in SITES}
        assert [other for other, address in addresses.items() if patient_of(url, address)] == [site]


@pytest.mark.parametrize("site", ["eurorad", "sirm"])
def test_a_copy_in_cohen_is_in_the_group_and_the_split_of_its_page(
    site: str, small: SmallSources, tmp_path: Path
) -> None:
    folder = tmp_path / "cases" / FOLDERS[site]
    folder.mkdir(parents=True)
    (folder / "case.txt").write_text("The text of the page.\n", encoding="utf-8")
    (folder / "RX-1.png").write_bytes(chest(77, modality="CXR"))
    cache = tmp_path / "cache"
    small.build_anew("cohen", "unpacked", cache)
    with small.in_use():
        build_dataset(site, data_dir=tmp_path / "cases", cache_dir=cache, num_proc=1)
        loaded = load_dataset(["cohen", site], framework="numpy", cache_dir=cache, allow_missing=True, offline=True)
    groups, splits = defaultdict(set), defaultdict(set)
    for split, part in loaded.items():
        for row in part:
            groups[row["group_id"]].add(row["dataset"])
            splits[row["group_id"]].add(split)
    assert {"cohen", site} in groups.values(), "other bytes, another picture: only the page ties them"
    assert all(len(found) == 1 for found in splits.values())
