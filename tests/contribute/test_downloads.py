"""What lies below a prefix of a bucket becomes a table of downloads, and the table a resource."""

from __future__ import annotations

from pathlib import Path

import pytest

from covid_datasets.catalog.resource import Resource
from covid_datasets.catalog.templates import Member, expand, read_members
from covid_datasets.contribute.downloads import main, write_downloads
from covid_datasets.errors import CatalogError
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.raw.bucket import list_url
from covid_datasets.raw.kinds import file
from covid_datasets.settings import Settings
from tests.buckets import bucket_list
from tests.server import Behaviour, serve


def test_a_bucket_becomes_a_table_whose_lines_are_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    files = {"data/mha/1.mha": b"one", "data/mha/more/2 b.mha": b"two"}
    for key, data in files.items():
        (tmp_path / "site" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / key).write_bytes(data)
    with serve(tmp_path / "site") as server:
        root = server.url("/")
        sizes = {key: len(data) for key, data in files.items()} | {"data/mha/more/": 0}
        path = list_url(root, "data/mha/").removeprefix(server.url(""))
        server.behaviours[path] = Behaviour(body=bucket_list(sizes), content_type="application/xml")
        server.behaviours["/data/mha/more/2%20b.mha"] = Behaviour(body=b"two")
        main([root, "data/mha/", str(tmp_path / "listings" / "x.tsv")])
        assert "2 files, 6 bytes" in capsys.readouterr().out
        template = Resource(name="scans", members="x.tsv", path="scans/{name}")
        plain = expand(template, tmp_path / "listings")
        assert [each.path for each in plain] == ["scans/1.mha", "scans/more/2 b.mha"]
        brought = file.bring(plain, Transfer(Settings(tmp_path / "cache")), lambda *_: pytest.fail("lost"))
        assert [brought[each.name][0].read(each.path) for each in plain] == [b"one", b"two"]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", ".hidden", "a\\b", "a//b"])
def test_names_stay_inside(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.tsv").write_text(f"name\turl\tsize\tsha256\tmd5\tsha1\n{name}\thttps://x.org/a\t1\t\t\t\n")
    with pytest.raises(CatalogError, match="expected name, url, size"):
        read_members("x.tsv", tmp_path)


def test_a_table_that_cannot_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(CatalogError):
        write_downloads([Member("../x", "https://x.org/x", 1, "", "", "")], tmp_path / "x.tsv")
    assert not list(tmp_path.iterdir())
