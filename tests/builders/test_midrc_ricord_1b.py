"""MIDRC-RICORD-1B: what its listing says of its sites, and that nobody of it is in another release."""

from __future__ import annotations

from collections import Counter

from covid_datasets.catalog.listing import Series, read_listing

RELEASES = ("1A", "1B", "1C")


def series(release: str) -> list[Series]:
    return [*read_listing(f"midrc_ricord_{release.lower()}.tsv").values()]


def site(one: Series) -> str:
    return one.patient.split("-")[3]


def test_every_site_has_thirty_studies_and_a_way_of_its_own() -> None:
    """So whoever mixes 1B with 1A, whose sites are not balanced, may teach a model the site."""
    listed = series("1B")
    assert Counter(map(site, listed)) == dict.fromkeys(("419639", "440808", "660042", "SITE2"), 30)
    assert {site(one) for one in listed if one.row["TransferSyntaxUID"].endswith(".4.70")} == {"419639"}
    assert {site(one) for one in listed if not one.row["PatientAge"]} == {"660042"}
    assert {site(one) for one in listed if one.row["Manufacturer"]} == {"SITE2"}
    assert Counter(site(one) for one in series("1A"))["419639"] == 105
    assert len({one.study for one in series("1A") if site(one) == "419639"}) == 15


def test_nobody_is_in_another_release_too() -> None:
    people = {
        release: {one.patient.removeprefix(f"MIDRC-RICORD-{release}-") for one in series(release)}
        for release in RELEASES
    }
    assert {release: len(found) for release, found in people.items()} == {"1A": 110, "1B": 117, "1C": 361}
    assert people["1B"].isdisjoint(people["1A"] | people["1C"])
    assert len(people["1A"] & people["1C"]) == 64
