"""Pictures of public sources are known by an index of hashes that comes with the catalog."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from covid_datasets import audit
from covid_datasets.audits.known import known_pictures, read_index, write_index
from covid_datasets.audits.looks import look_at
from covid_datasets.catalog.folder import catalog_folder
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.contribute.known import main, merged
from covid_datasets.errors import CatalogError
from tests.audits.cohort import Shot, cohort, scene, write_files


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of the first three pictures, each known in another way."""
    shots = cohort()
    looks = [look_at(shot.encoded(), shot.name, "picture") for shot in shots]
    path = tmp_path / "known.arrow"
    records = [
        ("cohen", "a.png", {"sha256": looks[0].measured.sha256}),
        ("hannover", "b.png", {"git_sha1": looks[1].git_sha1}),
        ("covid_ct", "c.png", {"pixel_hash": looks[2].measured.pixel_hash or ""}),
        ("figure1", "c.png", {"pixel_hash": looks[2].measured.pixel_hash or ""}),
    ]
    assert write_index(records, path) == 4
    monkeypatch.setattr("covid_datasets.audits.known.read_index", lambda: read_index(path))
    monkeypatch.setattr("covid_datasets.audits.weighed.read_index", lambda: read_index(path))
    return path


def test_known_pictures_are_named_with_their_source(index: Path, tmp_path: Path) -> None:
    shots = cohort()
    shots[2] = Shot("train", "p2.bmp", "a", "P2", shots[2].pixels, "BMP")
    folder = write_files(tmp_path / "x", shots, lambda shot: f"{shot.split}/{shot.name}")
    report = audit(folder, level="quick")
    assert [(each.name, each.source, each.sample, each.kind) for each in report.known] == [
        ("train/p0.png", "cohen", "a.png", "same bytes"),
        ("train/p1.png", "hannover", "b.png", "same bytes"),
        ("train/p2.bmp", "covid_ct", "c.png", "same pixels"),
        ("train/p2.bmp", "figure1", "c.png", "same pixels"),
    ]
    assert report.covered == ("cohen", "covid_ct", "figure1", "hannover")
    assert report.leaks == 0, "to know where a picture is from is no leak"
    assert "pictures of public sources: cohen 1, hannover 1, covid_ct 1, figure1 1 (looked for those of 4)" in str(
        report
    )


def test_a_source_is_not_told_that_its_pictures_are_its_own(index: Path) -> None:
    look = look_at(cohort()[0].encoded(), "x", "picture")
    assert [source for _, source, _, _ in known_pictures([look])] == ["cohen"]
    assert list(known_pictures([look], ["cohen"])) == []


def test_others_are_not_known(index: Path) -> None:
    looks = [
        look_at(Shot("train", "", "", "", scene(seed, (40, 40))).encoded(), "", "picture") for seed in range(50, 80)
    ]
    assert list(known_pictures(looks)) == []


def test_a_damaged_index_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").write_bytes(b"ARROW1 no")
    with pytest.raises(CatalogError, match="expected the index of known pictures"):
        read_index(tmp_path / "a.arrow")
    with pa.OSFile(str(tmp_path / "b.arrow"), "wb") as file, pa.ipc.new_file(file, pa.schema([("x", pa.int8())])):
        pass
    with pytest.raises(CatalogError, match="found x"):
        read_index(tmp_path / "b.arrow")


def test_the_index_that_ships_knows_every_picture_of_the_manifests() -> None:
    assert main(["--check"]) == 0
    index = read_index()
    identity = next(each for path, each in read_manifest("hannover-4025ea15.tsv").items() if path.endswith(".png"))
    assert index.find("sha256", identity.sha256) == index.find("git_sha1", identity.git_sha1)
    assert [source for source, _ in index.find("sha256", identity.sha256)] == ["hannover"]
    assert (catalog_folder() / "known.arrow").stat().st_size < 4_000_000


def test_hashes_of_one_file_come_together() -> None:
    one = hashlib.sha256(b"1").hexdigest()
    records = [
        ("a", "sample", {"sha256": one, "pixel_hash": "22" * 16}),
        ("a", "folder/file.png", {"sha256": one, "git_sha1": "33" * 20}),
        ("b", "other", {"sha256": one}),
    ]
    assert [(source, name, sorted(digests)) for source, name, digests in merged(iter(records))] == [
        ("a", "sample", ["git_sha1", "pixel_hash", "sha256"]),
        ("b", "other", ["sha256"]),
    ]


def test_making_it_anew_keeps_what_was_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "known.arrow"
    write_index([("pocus", "gone.png", {"pixel_hash": "ab" * 16})], path)
    monkeypatch.setattr("covid_datasets.contribute.known.catalog_folder", lambda: tmp_path)
    assert main(["--cache-dir", str(tmp_path / "cache")]) == 0
    read_index.cache_clear()
    assert read_index(path).find("pixel_hash", "ab" * 16) == [("pocus", "gone.png")]
    assert len(read_index(path).sources) > 5
