"""A public bucket over HTTP: listed page by page, each file fetched, counted, and kept for offline."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from covid_datasets.catalog import listing
from covid_datasets.catalog.card import Version
from covid_datasets.catalog.cards import load_card
from covid_datasets.catalog.listing import read_listing
from covid_datasets.catalog.resource import Copy, Resource
from covid_datasets.contribute.listing import write_listing
from covid_datasets.errors import (
    CatalogError,
    ChangedUpstreamError,
    CovidDatasetsError,
    DamagedFileError,
    MissingUpstreamError,
    NoSpaceError,
    OfflineError,
    TruncatedError,
)
from covid_datasets.fetch.places import place
from covid_datasets.fetch.transfer import Limits, Transfer
from covid_datasets.raw.bucket import list_url, parse_page
from covid_datasets.raw.folders import Folder
from covid_datasets.raw.kinds import series
from covid_datasets.raw.kinds.series import SeriesMount
from covid_datasets.raw.local import mount_local
from covid_datasets.raw.mirror import read_sums
from covid_datasets.raw.mounts import Look
from covid_datasets.raw.obtain import write_mirror
from covid_datasets.raw.origin import Lost
from covid_datasets.settings import Settings
from tests.buckets import bucket_list
from tests.server import Behaviour, Server, serve

FOLDERS = ("11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "22222222-bbbb-4bbb-8bbb-bbbbbbbbbbbb")
PAGE = 2
QUICK = Limits(timeout=2.0, retries=1, backoff=0.01, longest_wait=0.1, redirects=3, margin=0)
LISTING = "tiny.tsv"


@dataclass
class Bucket:
    """A served bucket, its resource and its listing."""

    server: Server
    resource: Resource
    files: dict[str, bytes]

    @property
    def root(self) -> str:
        return self.server.url("/")

    def list(self, folder: str, files: dict[str, int] | None = None) -> None:
        """Let the server answer for the list of a folder, in pages as ListObjectsV2 gives them."""
        sizes = files or {key: len(data) for key, data in self.files.items() if key.startswith(folder)}
        keys, token = sorted(sizes), ""
        for start in range(0, len(keys), PAGE):
            following = f"1/{start}+{folder[:4]}=" if start + PAGE < len(keys) else ""
            body = bucket_list({key: sizes[key] for key in keys[start : start + PAGE]}, following)
            self.server.behaviours[self.path(folder, token)] = Behaviour(body=body, content_type="application/xml")
            token = following

    def path(self, folder: str, token: str = "") -> str:
        return list_url(self.root, f"{folder}/", token).removeprefix(self.server.url(""))

    def fetch(self, cache: Path, **settings: object) -> tuple[SeriesMount, str]:
        return bring(self.resource, Settings(cache, **settings))  # type: ignore[arg-type]


def refuse(resource: Resource, name: str, error: CovidDatasetsError) -> None:
    raise error


def bring(resource: Resource, settings: Settings, lost: Lost = refuse) -> tuple[SeriesMount, str]:
    mount, origin = series.bring([resource], Transfer(settings, QUICK), lost)[resource.name]
    assert isinstance(mount, SeriesMount)
    return mount, origin.sha256


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("COVID_DATASETS_PROGRESS", "0")
    catalog, site = tmp_path / "catalog", tmp_path / "site"
    monkeypatch.setattr(listing, "catalog_folder", lambda: catalog)
    read_listing.cache_clear()
    files = {f"{folder}/{n}.dcm": f"{folder} {n} ".encode() * 99 for folder in FOLDERS for n in range(5)}
    for key, data in files.items():
        (site / key).parent.mkdir(parents=True, exist_ok=True)
        (site / key).write_bytes(data)
    write_listing([row(folder, files) for folder in FOLDERS], catalog / "listings" / LISTING)
    with serve(site) as server:
        resource = Resource(name="images", kind="series", listing=LISTING, copies=(Copy(url=server.url("/")),))
        served = Bucket(server, resource, files)
        for folder in FOLDERS:
            served.list(folder)
        yield served
    read_listing.cache_clear()


def row(folder: str, files: dict[str, bytes], count: int | None = None) -> dict[str, str]:
    held = [data for key, data in files.items() if key.startswith(folder)]
    own = {
        "crdc_series_uuid": folder, "PatientID": "P", "StudyInstanceUID": "1.2",
        "SeriesInstanceUID": f"1.2.{folder[0]}",
        "instanceCount": str(count or len(held)), "series_size_MB": f"{sum(map(len, held)) / 1e6:.6f}",
    }  # fmt: skip
    return dict.fromkeys(listing.COLUMNS, "") | own


def expect(bucket: Bucket, *rows: dict[str, str]) -> None:
    write_listing(rows, bucket.server.folder.parent / "catalog" / "listings" / LISTING)
    read_listing.cache_clear()


def test_every_file_of_every_page_comes(bucket: Bucket, tmp_path: Path) -> None:
    mount, digest = bucket.fetch(tmp_path / "cache")
    assert mount.sizes() == {key: len(data) for key, data in bucket.files.items()}
    assert all(mount.read(key) == data for key, data in bucket.files.items())
    lists = [request.path for request in bucket.server.requests if request.path.startswith("/?")]
    assert len(lists) == 6, "three pages for each of two series"
    assert sum("continuation-token=1%2F0%2B1111%3D" in path for path in lists) == 1
    assert bucket.fetch(tmp_path / "other")[1] == digest, "the digest is of the content"


def test_offline_works_the_second_time(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OfflineError):
        bucket.fetch(tmp_path / "cache", offline=True)
    mount, digest = bucket.fetch(tmp_path / "cache")
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    again, same = bucket.fetch(tmp_path / "cache", offline=True)
    assert (again, same) == (mount, digest)


def test_a_second_call_asks_for_nothing(bucket: Bucket, tmp_path: Path) -> None:
    bucket.fetch(tmp_path)
    asked = len(bucket.server.requests)
    bucket.fetch(tmp_path)
    assert len(bucket.server.requests) == asked


def test_a_file_that_is_cut_goes_on(bucket: Bucket, tmp_path: Path) -> None:
    key = f"{FOLDERS[0]}/3.dcm"
    bucket.server.behaviours[f"/{key}"] = Behaviour(cut_after=100, times=1)
    assert bucket.fetch(tmp_path)[0].read(key) == bucket.files[key]
    asked = [request.headers.get("range") for request in bucket.server.of(f"/{key}")]
    assert asked == [None, "bytes=100-", None]  # no hash is published, so what came in pieces is read once as a whole


def test_a_file_that_stays_cut_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    bucket.server.behaviours[f"/{FOLDERS[0]}/3.dcm"] = Behaviour(cut_after=0)
    with pytest.raises(TruncatedError, match="3.dcm: expected"):
        bucket.fetch(tmp_path)


def test_a_file_of_another_size_than_listed_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    bucket.server.behaviours[f"/{FOLDERS[0]}/3.dcm"] = Behaviour(body=b"short")
    with pytest.raises(
        ChangedUpstreamError, match="3.dcm: expected 3,861 bytes .published in the catalog., the host offers 5"
    ):
        bucket.fetch(tmp_path)


@pytest.mark.parametrize("what", ["list", "file"])
def test_a_bucket_that_is_busy_for_a_moment_is_asked_again(bucket: Bucket, tmp_path: Path, what: str) -> None:
    path = bucket.path(FOLDERS[0]) if what == "list" else f"/{FOLDERS[0]}/3.dcm"
    usual = bucket.server.behaviours.get(path, Behaviour())
    assert isinstance(usual, Behaviour)
    busy = replace(usual, status=503, body=b"<Error><Code>SlowDown</Code></Error>")
    bucket.server.behaviours[path] = [busy, usual]
    mount, _ = bucket.fetch(tmp_path)
    assert mount.sizes() == {key: len(data) for key, data in bucket.files.items()}
    assert len(bucket.server.of(path)) == 2


def test_a_bucket_that_lists_more_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    sizes = {key: len(data) for key, data in bucket.files.items() if key.startswith(FOLDERS[0])}
    bucket.list(FOLDERS[0], sizes | {f"{FOLDERS[0]}/more.dcm": 7})
    with pytest.raises(ChangedUpstreamError, match=f"series {FOLDERS[0]} .1.2.1.: expected 5 files, found 6"):
        bucket.fetch(tmp_path)


def test_a_bucket_that_is_gone(bucket: Bucket, tmp_path: Path) -> None:
    bucket.server.behaviours[bucket.path(FOLDERS[1])] = Behaviour(status=404, html="<Error>NoSuchBucket</Error>")
    with pytest.raises(MissingUpstreamError, match="404"):
        bucket.fetch(tmp_path)


def test_an_empty_list_names_the_series(bucket: Bucket, tmp_path: Path) -> None:
    bucket.server.behaviours[bucket.path(FOLDERS[1])] = Behaviour(body=bucket_list({}))
    with pytest.raises(MissingUpstreamError, match=f"series {FOLDERS[1]} .1.2.2.: expected 5 files, found 0"):
        bucket.fetch(tmp_path)


def test_fewer_files_than_the_catalog_says(bucket: Bucket, tmp_path: Path) -> None:
    expect(bucket, row(FOLDERS[0], bucket.files, 6), row(FOLDERS[1], bucket.files))
    with pytest.raises(ChangedUpstreamError, match=f"series {FOLDERS[0]} .1.2.1.: expected 6 files, found 5"):
        bucket.fetch(tmp_path)
    expect(bucket, row(FOLDERS[0], bucket.files), row(FOLDERS[1], bucket.files))
    assert len(bucket.fetch(tmp_path)[0].sizes()) == 10


def test_other_bytes_than_the_catalog_says(bucket: Bucket, tmp_path: Path) -> None:
    expect(bucket, row(FOLDERS[0], bucket.files) | {"series_size_MB": "0.5"})
    with pytest.raises(ChangedUpstreamError, match="expected 500,000 bytes in 5 files, found"):
        bucket.fetch(tmp_path)


def test_a_truncated_list_is_not_kept(bucket: Bucket, tmp_path: Path) -> None:
    path = bucket.path(FOLDERS[0])
    whole = bucket.server.behaviours[path]
    assert isinstance(whole, Behaviour)
    bucket.server.behaviours[path] = Behaviour(body=(whole.body or b"")[:-30])
    with pytest.raises(DamagedFileError, match="expected a whole list of a bucket"):
        bucket.fetch(tmp_path)
    bucket.server.behaviours[path] = whole
    assert len(bucket.fetch(tmp_path)[0].sizes()) == 10


def test_a_series_that_is_lost_leaves_the_others(bucket: Bucket, tmp_path: Path) -> None:
    bucket.server.behaviours[bucket.path(FOLDERS[1])] = Behaviour(status=404)
    told: dict[str, CovidDatasetsError] = {}
    mount, _ = bring(bucket.resource, Settings(tmp_path), lambda _, name, error: told.setdefault(name, error))
    assert list(mount.folders) == [FOLDERS[0]]
    assert list(told) == [FOLDERS[1]]


@pytest.mark.parametrize("key", ["../../evil.dcm", "/etc/x.dcm", f"{FOLDERS[0]}/../x.dcm", f"{FOLDERS[0]}/a/b.dcm"])
def test_keys_stay_in_their_folder(bucket: Bucket, tmp_path: Path, key: str) -> None:
    bucket.list(FOLDERS[0], {key: 5})
    with pytest.raises(DamagedFileError, match="expected files of this folder, found"):
        bucket.fetch(tmp_path)


def test_the_disk_is_asked_first(bucket: Bucket, tmp_path: Path) -> None:
    expect(bucket, row(FOLDERS[0], bucket.files) | {"series_size_MB": "900000000000"})
    with pytest.raises(NoSpaceError, match="needed 900,000,000,000,000,000 bytes"):
        bucket.fetch(tmp_path)
    assert bucket.server.requests == []


def test_a_mirror_that_is_a_folder_is_its_own_list(bucket: Bucket, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    for key, data in bucket.files.items():
        path = mirror / place(f"{bucket.root}{key}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    mount, digest = bucket.fetch(tmp_path / "cache", mirror=str(mirror))
    assert mount.sizes() == {key: len(data) for key, data in bucket.files.items()}
    assert bucket.server.requests == []
    assert not (tmp_path / "cache").exists(), "used in place"
    path.unlink()
    with pytest.raises(ChangedUpstreamError, match="series 1.2.2: expected 5 files, found 4"):
        bucket.fetch(tmp_path / "cache", mirror=str(mirror))
    path.write_bytes(b"x" * len(data))
    assert bucket.fetch(tmp_path / "cache", mirror=str(mirror))[1] != digest


def test_a_mirror_that_we_make_serves_by_folder_and_by_web(bucket: Bucket, tmp_path: Path) -> None:
    card = replace(
        load_card("phantom"),
        resources=(bucket.resource,),
        versions={"1": Version(resources=("images",))},
        default_version="1",
    )
    made = write_mirror([card.choice()], tmp_path / "mirror", Transfer(Settings(tmp_path / "cache"), QUICK))
    assert len(made) == 10 + 6, "each file, and each page of each list"
    assert len(read_sums(tmp_path / "mirror")) == 16
    digest = bucket.fetch(tmp_path / "cache")[1]
    asked = len(bucket.server.requests)
    by_folder = bucket.fetch(tmp_path / "other", mirror=str(tmp_path / "mirror"))[0]
    with serve(tmp_path / "mirror") as web:
        by_web, same = bucket.fetch(tmp_path / "other", mirror=web.url(""))
        assert by_web.sizes() == by_folder.sizes() == {key: len(data) for key, data in bucket.files.items()}
    assert same == digest
    assert len(bucket.server.requests) == asked, "the bucket itself was not asked"
    again = write_mirror([card.choice()], tmp_path / "mirror", Transfer(Settings(tmp_path / "cache"), QUICK))
    assert {found.action for found in again} == {"kept"}


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"<html><body>log in</body></html>",
        b"<ListBucketResult><Contents><Key>a/b.dcm</Key><Size>many</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Size>3</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><ListBucketResult/>',
    ],
)
def test_what_is_no_list_is_refused(page: bytes) -> None:
    with pytest.raises(DamagedFileError, match="expected a whole list of a bucket"):
        parse_page(page, "https://bucket.example.org/")


def test_a_part_of_a_listing_is_chosen_by_its_columns(bucket: Bucket, tmp_path: Path) -> None:
    kinds = dict(zip(FOLDERS, ("CT", "CR"), strict=True))
    expect(bucket, *(row(folder, bucket.files) | {"Modality": kind} for folder, kind in kinds.items()))
    films = replace(bucket.resource, only={"Modality": ("CR", "DX")})
    mount, _ = bring(films, Settings(tmp_path / "cache"))
    assert list(mount.folders) == [FOLDERS[1]]
    assert not [request for request in bucket.server.requests if FOLDERS[0] in request.path]
    assert series.missing(films, None, Look(), {}) == [FOLDERS[1]]
    assert series.count(films, 0) == 1
    with pytest.raises(CatalogError, match="key 'only': expected some of 2 series, found none"):
        series.listed(replace(films, only={"Modality": ("MR",)}))
    with pytest.raises(CatalogError, match="key 'only': expected columns of .*, found \\['modality'\\]"):
        series.listed(replace(films, only={"modality": ("CT",)}))


def test_of_each_folder_one_header_is_read_and_no_pixels(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection has thousands of folders, and several resources that look through all of them."""
    pytest.importorskip("pydicom")
    from tests.dicom import radiograph

    kinds = dict(zip(FOLDERS, ("CT", "CR"), strict=True))
    expect(bucket, *(row(folder, bucket.files) | {"Modality": kind} for folder, kind in kinds.items()))
    for number in (1, 2):
        for name in ("1-1.dcm", "1-2.dcm"):
            path = tmp_path / "mine" / f"{number}.000000-NA-1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(radiograph(np.zeros((2000, 2000), np.uint16), SeriesInstanceUID=f"1.2.{number}"))
    (tmp_path / "mine" / "CR_1.2.9").mkdir()
    (tmp_path / "mine" / "CR_1.2.9" / "x.dcm").write_bytes(b"of another collection: its name says so")
    opened: list[IO[bytes]] = []

    class Noted(io.BytesIO):
        furthest = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.furthest = max(self.furthest, self.tell())
            return data

    def note(folder: Folder, name: str) -> IO[bytes]:
        opened.append(Noted((tmp_path / "mine" / name).read_bytes()))
        return opened[-1]

    monkeypatch.setattr(Folder, "read", lambda *_: pytest.fail("a whole file was read"))
    monkeypatch.setattr(Folder, "open", note)
    parts = tuple(replace(bucket.resource, name=kind, only={"Modality": (kind,)}) for kind in ("CT", "CR"))
    local = mount_local(tmp_path / "mine", parts)
    found = {name: list(mount.folders) for name, mount in local.mounts.items() if isinstance(mount, SeriesMount)}
    assert found == {"CT": [FOLDERS[0]], "CR": [FOLDERS[1]]}
    assert local.extra == [str(tmp_path / "mine" / "CR_1.2.9" / "x.dcm")]
    assert len(opened) == 2
    assert max(stream.furthest for stream in opened if isinstance(stream, Noted)) < 10_000


def test_a_broken_listing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("crdc_series_uuid\tPatientID\nnot-a-uuid\tP\n")
    with pytest.raises(CatalogError, match="x.tsv line 2: expected a series, each once"):
        read_listing("x.tsv", tmp_path)
    with pytest.raises(CatalogError, match="expected a listing of series"):
        read_listing("absent.tsv", tmp_path)
