"""What is proven about samples from outside of the source: which belong together, which carry a flag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.layout import matches
from covid_datasets.catalog.listing import read_listing
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.catalog.published import read_identities
from covid_datasets.errors import CatalogError
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.splits.index import Index
from tests.sources import chest
from tests.tiny import BUILDER, CARD, VERSION, at_most_a_clear_error, installed

HEADER = "sample_id\ttie\tflag\tevidence\n"


def read(folder: Path, text: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    (folder / "tiny.tsv").write_text(text, encoding="utf-8", newline="")
    return read_identities("tiny", folder)


def test_lines_of_one_sample_add_up(tmp_path: Path) -> None:
    text = HEADER + 'b\tperson:1\t\tsame scar\na\tperson:1\tdoubtful\t\nb\tperson:2\t\t\nb\t\tdoubtful\t"quoted\n'
    assert read(tmp_path, text) == {
        "a": (("person:1",), ("doubtful",)),
        "b": (("person:1", "person:2"), ("doubtful",)),
    }


def test_columns_may_be_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "sample_id\tflag\na\tdoubtful\n") == {"a": ((), ("doubtful",))}
    assert read(tmp_path, "sample_id\ttie\na\tperson:1\n") == {"a": (("person:1",), ())}


def test_no_file_is_nothing_proven(tmp_path: Path) -> None:
    assert read_identities("tiny", tmp_path) == {}


@pytest.mark.parametrize(
    "line", ["a\t\t\tevidence of nothing", "\tperson:1\t\t", "a", "a\t"], ids=["no tie", "no sample", "short", "blank"]
)
def test_a_line_that_says_nothing_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(CatalogError, match=r"tiny\.tsv line 3: expected sample_id and a tie or a flag, found "):
        read(tmp_path, HEADER + f"a\tperson:1\t\t\n{line}\n")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet='ab\t\n"\r:', max_size=40), header=st.booleans())
def test_any_text_is_read_or_refused(tmp_path: Path, text: str, header: bool) -> None:
    with at_most_a_clear_error("tiny.tsv"):
        found = read(tmp_path, (HEADER if header else "") + text)
        assert all(sample and (ties or flags) for sample, (ties, flags) in found.items())


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    names = [f"{number}.png" for number in range(8)]
    files = {name: chest(number, modality="CXR") for number, name in enumerate(names)}
    rows = "".join(f"{name},P{number},COVID-19\n" for number, name in enumerate(names))
    files["list.csv"] = f"file,patient,finding\n{rows}".encode()
    folder = tmp_path / "data"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with installed(tmp_path / "package", monkeypatch, {"tiny": CARD + VERSION}, {"tiny": BUILDER}, files):
        yield folder


def test_proven_persons_share_a_split_and_flags_reach_the_rows(data: Path) -> None:
    before = build_dataset("tiny", data_dir=data)
    assert len(set(Index.read(before.path).groups)) == 8
    (catalog_folder() / "identities").mkdir()
    (catalog_folder() / "identities" / "tiny.tsv").write_text(
        HEADER + "0.png\tperson:x\t\tsame scar\n5.png\tperson:x\tdoubtful\tsame scar\n7.png\tperson:x\t\tsame scar\n"
    )
    after = build_dataset("tiny", data_dir=data)
    assert after.path != before.path  # what is proven is an input of a build
    index = Index.read(after.path)
    where = {sample: place for place, sample in enumerate(index.texts("sample_id"))}
    joined = [where[f"tiny/{number}.png"] for number in (0, 5, 7)]
    assert len({index.groups[place] for place in joined}) == 1
    assert len({index.texts("split")[place] for place in joined}) == 1
    assert len(set(index.groups)) == 6
    assert index.column("ties")[where["tiny/5.png"]] == ["person:x"]  # holds across sources, so without a prefix


@pytest.mark.parametrize("path", sorted((catalog_folder() / "identities").glob("*.tsv")), ids=lambda path: path.stem)
def test_the_installed_identities_name_samples_of_their_source(path: Path) -> None:
    card = load_card(path.stem)
    names = {
        resource.folder + name
        for resource in card.resources  # a sample may be in an older version only
        if resource.manifest
        for member in read_manifest(resource.manifest)
        for name in (member, member.rsplit("/", 1)[-1])  # sources call samples by the path or by the name of a file
    }
    listings = [resource.listing for resource in card.resources if resource.listing]
    names |= {series.series for listing in listings for series in read_listing(listing).values()}
    found = read_identities(path.stem)
    globs = [pattern.glob for resource in card.resources for pattern in resource.files if pattern.required]
    globs += [glob.rsplit("/", 1)[-1] for glob in globs]  # what nobody listed is known by its form alone
    parts = [resource for resource in card.resources if resource.folder and not (resource.manifest or resource.listing)]
    of_parts = [part.folder + pattern.glob for part in parts for pattern in part.files]  # of parts that nobody listed
    strangers = {name for name in found if name not in names and not matches(name, of_parts)}
    assert not strangers or (globs and not names and all(matches(name, globs) for name in strangers)), strangers
    flags = {flag for _, flags in found.values() for flag in flags}
    assert flags <= {defect.flag for defect in card.defects}
    assert all(re.fullmatch(r"[a-z_]+:\S.*", tie) for ties, _ in found.values() for tie in ties)
