"""What a build will ask of network and disk is said before it starts, and no more is claimed than is known."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from covid_datasets.catalog.cards import choose
from covid_datasets.catalog.manifest import read_manifest
from covid_datasets.cli import main
from covid_datasets.fetch.places import place
from covid_datasets.prepare import needs
from covid_datasets.prepare.needs import Download, to_download
from covid_datasets.settings import Settings

Capture = pytest.CaptureFixture[str]


def test_sizes_that_are_published_are_added_up(tmp_path: Path) -> None:
    choice, settings = choose("covid_ct"), Settings.resolve(tmp_path)
    wanted = sum(resource.size or 0 for resource in choice.resources)
    found = to_download(choice, settings)
    assert (found.known, found.unknown) == (wanted, 0)


def test_an_archive_without_a_size_is_as_large_as_its_files(tmp_path: Path) -> None:
    choice, settings = choose("cohen"), Settings.resolve(tmp_path)
    (resource,) = choice.resources
    inside = sum(each.size or 0 for each in read_manifest(resource.manifest).values())
    assert to_download(choice, settings) == Download(0, inside, 0)
    here = settings.downloads / place(resource.copies[-1].url)
    here.parent.mkdir(parents=True)
    here.write_bytes(b"x")
    assert to_download(choice, settings) == Download(0, 0, 0), "it is in the cache"


def test_a_mirror_is_used_in_place(tmp_path: Path) -> None:
    assert to_download(choose("cohen"), Settings.resolve(tmp_path, str(tmp_path))) == Download(0, 0, 0)


def test_it_is_said_before_a_connection_is_opened(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def refuse(*_: object, **__: object) -> None:
        said.append(capsys.readouterr().err)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    main(["build", "jhu_csse", "--cache-dir", str(tmp_path)])
    assert re.match(
        r"jhu_csse: \d+ files of unknown size to download, then about as much for the build; [\d.]+ [MGT]B free in ",
        said[0],
    )


def test_the_build_is_sized_when_its_records_are_known(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = ["build", "phantom", "--config", "small", "--cache-dir"]
    assert main([*build, str(tmp_path / "little")]) == 0
    assert capsys.readouterr().err == "", "it hardly takes any room"
    monkeypatch.setattr(needs, "WORTH_TELLING", 1_000_000)
    monkeypatch.setenv("COVID_DATASETS_PROGRESS", "0")
    assert main([*build, str(tmp_path / "silent")]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("COVID_DATASETS_PROGRESS")
    assert main([*build, str(tmp_path / "much")]) == 0
    told = capsys.readouterr().err
    assert re.match(r"phantom: 42 rows to build, about [\d.]+ MB on the disk; [\d.]+ [MGT]B free in ", told)
    assert main([*build, str(tmp_path / "much")]) == 0
    assert capsys.readouterr().err == "", "it is built already"
