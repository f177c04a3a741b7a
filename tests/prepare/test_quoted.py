"""A row that was copied from another source's web page is tied to that page's patient, in every source alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import load_card, read_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.errors import CatalogError
from covid_datasets.load.selection import select
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.inputs import declared_inputs
from covid_datasets.prepare.quoted import addresses_of, quoted_ties
from covid_datasets.prepare.result import Built
from covid_datasets.schema import Record
from covid_datasets.splits.index import Index
from tests.small import SmallSources
from tests.sources import chest
from tests.tiny import BUILDER, CARD, VERSION, installed

ADDRESS = r'address = "//cases\\.org/.*/case-?0*(\\d+)\\b"'
SITE = CARD.replace('how = "The list says."', f'how = "The list says."\n{ADDRESS}') + VERSION
COLLECTION = CARD.replace('default_version = "1"', 'default_version = "1"\nquotes = ["site"]') + VERSION
WITH_URL = BUILDER.replace("source_row=row,", 'source_row=row, source_url=row.get("url"),')
ADDRESSES = {"site": r"//cases\.org/.*/case-?0*(\d+)\b"}


def record(**fields: str) -> Record:
    return Record(sample_id="a", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "ties"),
    [
        ("https://cases.org/2020/03/case-24/", ("case:site/24",)),
        ("https://cases.org/2020/03/case024?lang=en", ("case:site/24",)),
        ("https://cases.org/2020/03/case-24b", ()),
        ("https://other.org/2020/03/case-24/", ()),
        ("", ()),
        (None, ()),
    ],
)
def test_an_address_names_the_patient(url: str, ties: tuple[str, ...]) -> None:
    assert quoted_ties("collection", record(source_url=url, patient="7"), ADDRESSES) == ties


def test_the_rows_of_the_pages_themselves_are_tied_by_their_patient() -> None:
    assert quoted_ties("site", record(patient="24"), ADDRESSES) == ("case:site/24",)
    assert quoted_ties("site", record(), ADDRESSES) == ()
    other = record(patient="24", source_url="https://cases.org/x/case-25")
    assert quoted_ties("site", other, ADDRESSES) == ("case:site/24", "case:site/25"), (
        "two that may be one are kept together"
    )


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two sources of forty people each; every picture differs, and the collection quotes case 3 twice."""
    folders = []
    for number, name in enumerate(("site", "collection")):
        folder = tmp_path / name
        folder.mkdir()
        rows = ["file,patient,finding,url"]
        for person in range(40):
            (folder / f"{person}.png").write_bytes(chest(100 * number + person, modality="CXR"))
            quoted = {5: 3, 6: 3, 9: 12}.get(person)
            url = f"https://cases.org/2020/case-{quoted}/" if number and quoted else ""
            rows.append(f"{person}.png,{person},COVID-19,{url}")
        (folder / "list.csv").write_text("\n".join(rows) + "\n")
        folders.append(folder)
    cards = {"site": SITE.replace('manifest = "tiny.tsv"\n', ""), "collection": COLLECTION}
    cards["collection"] = cards["collection"].replace('manifest = "tiny.tsv"\n', "")
    cards = {name: re.sub(r"\n\[\[resources\.copies\]\]\nurl = \"https://second.*", "", text, flags=re.DOTALL)
             for name, text in cards.items()}  # fmt: skip
    with installed(tmp_path / "package", monkeypatch, cards, dict.fromkeys(cards, WITH_URL)):
        yield folders[0], folders[1]


def groups(built: Built) -> dict[str, int]:
    index = Index.read(built.path)
    return dict(zip(index.texts("sample_id"), index.groups, strict=True))


def test_copies_and_pages_share_a_group_and_a_split(both: tuple[Path, Path]) -> None:
    site, collection = (build_dataset(path.name, data_dir=path) for path in both)
    found = groups(collection)
    assert found["collection/5.png"] == found["collection/6.png"]
    assert len(set(found.values())) == 39
    assert len(set(groups(site).values())) == 40
    joint = select([site, collection], "patient")
    where: dict[str, set[str]] = {}
    for number, built in enumerate((site, collection)):
        ties = Index.read(built.path).column("ties")
        for split, parts in joint.splits.items():
            for row in parts[number]:
                for tie in ties[int(row)]:  # type: ignore[attr-defined]
                    where.setdefault(tie, set()).add(split)
    assert {"case:site/3", "case:site/12"} <= set(where)
    assert {tie for tie, splits in where.items() if len(splits) > 1} == set()


def test_a_changed_address_is_built_anew_and_a_source_that_is_not_there_ties_nothing(both: tuple[Path, Path]) -> None:
    card = load_card("collection")
    before = declared_inputs(card.choice(), "full")
    path = catalog_folder() / "site.toml"
    path.write_text(path.read_text().replace("case-?", "caso-?"))
    assert declared_inputs(card.choice(), "full") != before
    path.unlink()
    assert addresses_of(card) == {}
    assert "addresses" not in declared_inputs(card.choice(), "full")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("'('", "a regular expression"), ("'case'", "one group"), ("'(a)(b)'", "one group"), ("3", "text")],
)
def test_an_address_that_names_nobody_is_refused(tmp_path: Path, address: str, expected: str) -> None:
    (tmp_path / "site.toml").write_text(re.sub(r"(?m)^address = .*", lambda _: f"address = {address}", SITE))
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "tiny.tsv").write_text("path\tsize\tsha256\tgit_sha1\n")
    with pytest.raises(CatalogError, match=f"patients.address.*expected {expected}"):
        read_card(tmp_path / "site.toml")


def test_cases_of_sirm_are_known_in_cohen(small: SmallSources) -> None:
    """Both small trees hold cases 13 and 71; nobody listed which pictures they are."""
    builds = [small.build(name) for name in ("sirm", "cohen")]
    known = []
    for built in builds:
        ties = {tie for row in Index.read(built.path).column("ties") for tie in row}  # type: ignore[attr-defined]
        known.append({tie for tie in ties if tie.startswith("case:")})
    assert known[0] & known[1] == {"case:sirm/13", "case:sirm/71"}
    assert known[1] == {"case:sirm/13", "case:sirm/71", "case:eurorad/10483"}
