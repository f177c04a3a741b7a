"""Real files, from a host that misbehaves to a finished build: the result is that of a plain folder, or a clear error.

The mirror of real files is small, so sources are built with ``allow_missing``. The last tests are about the whole real
data; they run where ``COVID_DATASETS_TEST_REAL`` names a folder with the trees ``covid_ct/`` and ``cohen/``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import catalogs
from covid_datasets.cli import main
from covid_datasets.errors import (
    DownloadError,
    HostUnreachableError,
    IncompleteSourceError,
    MissingUpstreamError,
    NotTheFileError,
    TruncatedError,
)
from covid_datasets.fetch.transfer import Limits
from covid_datasets.load.selection import select
from covid_datasets.load.splits import audit_build
from covid_datasets.load.verify import verify
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.splits.audit import AuditReport
from covid_datasets.splits.index import Index
from tests.server import Behaviour, serve

ROOT = Path(__file__).resolve().parents[2]
REAL = Path(os.environ.get("COVID_DATASETS_TEST_REAL", "/nonexistent"))
needs_real = pytest.mark.skipif(not (REAL / "cohen").is_dir(), reason="COVID_DATASETS_TEST_REAL is not set")

QUICK = Limits(timeout=1.0, retries=2, backoff=0.01, longest_wait=0.2, margin=0)
BASE = "/github.com/UCSD-AI4H/COVID-CT/raw/master"
ARCHIVE = {
    "covid_ct": f"{BASE}/Images-processed/CT_COVID.zip",
    "cohen": "/github.com/ieee8023/covid-chestxray-dataset/archive/584034aa7fbf06496741f11008d72fd791c8e443.zip",
}
Capture = pytest.CaptureFixture[str]
Misbehaviour = Behaviour | Sequence[Behaviour]
MENDED: dict[str, tuple[Misbehaviour, int]] = {
    "cut": ([Behaviour(cut_after=300_000), Behaviour(cut_after=2_000_000), Behaviour()], 3),
    "stall": (Behaviour(stall_after=1_000_000, stall_for=20, times=1), 2),
    "busy": (Behaviour(status=429, retry_after="0", times=1), 2),
    "broken": (Behaviour(status=500, times=2), 3),
    "no range": ([Behaviour(cut_after=1_000_000), Behaviour(ignore_range=True)], 2),
    "wrong range": ([Behaviour(cut_after=1_000_000), Behaviour(wrong_range=True), Behaviour()], 3),
    # The part is as long as the file, but shorter than was promised: the rest is asked for, and there is none.
    "long promise": (Behaviour(promise=1000, times=1), 3),
    "chunked": (Behaviour(chunked=True), 1),
    "no validators": ([Behaviour(cut_after=1_000_000, etag="", last_modified=False), Behaviour()], 2),
}
"""What the host does, and how many requests it takes to get the file all the same."""
FATAL: dict[str, tuple[Misbehaviour, type[DownloadError], str]] = {
    "a login page": (Behaviour(html="<html><title>Sign in</title></html>"), NotTheFileError, "titled 'Sign in'"),
    "gone": (Behaviour(status=404), MissingUpstreamError, "404"),
    "down": (Behaviour(status=503), HostUnreachableError, "503"),
    "always cut": (Behaviour(cut_after=100_000), TruncatedError, "the transfer ended"),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody, and reach the loopback directly."""
    monkeypatch.setattr("covid_datasets.fetch.transfer.Limits", lambda: QUICK)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("COVID_DATASETS_PROGRESS", "0")


@pytest.fixture(scope="module")
def plain(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """Build both sources from the mirror as a local folder: what every other way must give."""
    cache = tmp_path_factory.mktemp("plain")
    return {
        name: build_dataset(name, mirror=str(mirror), cache_dir=cache, allow_missing=True, offline=True)
        for name in ARCHIVE
    }


def build(name: str, mirror: str, cache: Path, *, allow_missing: bool = True) -> Built:
    # Hashing only is enough here: what is in the images does not depend on how they came.
    return build_dataset(name, mirror=mirror, cache_dir=cache, allow_missing=allow_missing, verify="bytes")


@pytest.fixture(scope="module")
def hashed(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """Build both sources from the folder, hashing only."""
    cache = tmp_path_factory.mktemp("hashed")
    return {name: build(name, str(mirror), cache) for name in ARCHIVE}


@pytest.mark.parametrize("name", sorted(ARCHIVE))
def test_a_host_gives_what_a_folder_gives(
    name: str, mirror: Path, plain: dict[str, Built], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(mirror) as server:
        monkeypatch.setenv("COVID_DATASETS_MIRROR", server.url(""))
        built = build_dataset(name, cache_dir=tmp_path, allow_missing=True)
        assert {request.path for request in server.requests} >= {ARCHIVE[name]}
        count = len(server.requests)
        assert build_dataset(name, cache_dir=tmp_path, allow_missing=True).path == built.path
        assert not [request for request in server.requests[count:] if request.path == ARCHIVE[name]], "it is cached"
    assert (built.fingerprint, built.rows) == (plain[name].fingerprint, plain[name].rows)
    assert built.incomplete
    assert "INCOMPLETE" in built.report()
    assert verify(built.path, pixels=True).ok
    origins = {origin["verified"] for origin in built.manifest()["origins"]}
    assert "content manifest" in origins


@pytest.mark.parametrize("name", sorted(ARCHIVE))
@pytest.mark.parametrize("how", sorted(MENDED))
def test_misbehaviour_that_can_be_mended(
    name: str, how: str, mirror: Path, hashed: dict[str, Built], tmp_path: Path
) -> None:
    behaviour, requests = MENDED[how]
    with serve(mirror, {ARCHIVE[name]: behaviour}) as server:
        built = build(name, server.url(""), tmp_path)
        asked = server.of(ARCHIVE[name])
    assert built.fingerprint == hashed[name].fingerprint
    assert len(asked) == requests
    if how == "cut":
        assert [request.headers.get("range") for request in asked] == [None, "bytes=300000-", "bytes=2300000-"]


def test_a_redirect_to_another_host(mirror: Path, hashed: dict[str, Built], tmp_path: Path) -> None:
    with serve(mirror) as there, serve(mirror) as here:
        path = ARCHIVE["covid_ct"]
        here.behaviours[path] = Behaviour(redirect=there.url(path))
        built = build("covid_ct", here.url(""), tmp_path)
        assert len(there.of(path)) == 1
    assert built.fingerprint == hashed["covid_ct"].fingerprint


def test_a_download_goes_on_in_the_next_process(mirror: Path, hashed: dict[str, Built], tmp_path: Path) -> None:
    path = ARCHIVE["cohen"]
    with serve(mirror, {path: Behaviour(cut_after=1_000_000)}) as server:
        with pytest.raises(TruncatedError, match="kept in"):
            build("cohen", server.url(""), tmp_path, allow_missing=False)
        asked = len(server.of(path))
        server.behaviours.clear()
        built = build("cohen", server.url(""), tmp_path)
        assert server.of(path)[asked].headers["range"] == f"bytes={asked}000000-"
    assert built.fingerprint == hashed["cohen"].fingerprint


@pytest.mark.parametrize("how", sorted(FATAL))
@pytest.mark.parametrize("name", sorted(ARCHIVE))
def test_misbehaviour_that_cannot_be_mended(name: str, how: str, mirror: Path, tmp_path: Path) -> None:
    behaviour, kind, words = FATAL[how]
    with serve(mirror, {ARCHIVE[name]: behaviour}) as server, pytest.raises(kind) as error:
        build(name, server.url(""), tmp_path, allow_missing=False)
    assert words in str(error.value)
    assert "Next: " in str(error.value)
    assert not list(tmp_path.rglob("manifest.json"))


def test_a_table_that_came_damaged_is_not_used(mirror: Path, tmp_path: Path) -> None:
    """The workbook has a published hash, and no other copy is in this mirror."""
    path = f"{BASE}/COVID-CT-MetaInfo.xlsx"
    body = bytearray((mirror / path.lstrip("/")).read_bytes())
    body[len(body) // 2] ^= 1
    with (
        serve(mirror, {path: Behaviour(body=bytes(body))}) as server,
        pytest.raises(Exception, match="sha256") as error,
    ):
        build("covid_ct", server.url(""), tmp_path, allow_missing=False)
    assert getattr(error.value, "exit_code", None) == 5


@pytest.mark.parametrize("name", sorted(ARCHIVE))
def test_a_part_of_a_source_builds_only_when_asked(name: str, mirror: Path, tmp_path: Path) -> None:
    with pytest.raises(IncompleteSourceError) as error:
        build(name, str(mirror), tmp_path, allow_missing=False)
    for words in ("files are missing", "Missing:", "FOLDER/", "allow_missing=True, or --allow-missing"):
        assert words in str(error.value)


# --- the command line ----------------------------------------------------------------------------------------------


def command(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as its own process."""
    settings = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        [sys.executable, "-m", "covid_datasets", *argv], env=settings, capture_output=True, text=True, check=False
    )


def test_exit_codes_of_the_program(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each code once, in a process of its own where that is cheap."""
    cache = ("--cache-dir", str(tmp_path / "cache"))
    source = ("build", "covid_ct", "--mirror", str(mirror), "--offline", *cache, "--json")
    done = command(*source, "--allow-missing")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    built = json.loads(done.stdout)
    assert built["incomplete"] is True
    assert built["rows"] == sum(built["splits"].values()) == sum(built["labels"].values()) > 200
    wanted = "id version config path fingerprint rows patients splits labels dropped seconds".split()
    assert set(wanted) <= set(built)
    assert command("path", "covid_ct", *cache).stdout == f"{built['path']}\n"

    codes = {
        1: command("path", "cohen", *cache),
        2: command("build", "covid_ct", "--verify", "nothing"),
        4: command("build", "cohen", "--offline", *cache),
        5: command(*source),
    }
    for code, done in codes.items():
        assert done.returncode == code, done.stderr
        assert done.stderr
        assert "Traceback" not in done.stderr
    failure = json.loads(codes[5].stdout)
    assert (failure["error"], failure["exit_code"]) == ("IncompleteSourceError", 5)

    (tmp_path / "file").write_text("no folder")
    done = command("build", "phantom", "--config", "small", "--cache-dir", str(tmp_path / "file" / "cache"))
    assert done.returncode == 6, done.stderr

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    assert main(["build", "phantom", "--config", "small", *cache]) == 7


def test_access_needed_is_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No source of the catalog needs an account yet, so one is made up from one that does not."""
    shutil.copytree(ROOT / "catalogs", tmp_path / "catalogs")
    card = tmp_path / "catalogs" / "cohen.toml"
    text = card.read_text(encoding="utf-8").replace('kind = "open"', 'kind = "account"\nsteps = ["Sign.", "Wait."]')
    card.write_text(text, encoding="utf-8")
    monkeypatch.setattr(catalogs, "__path__", [str(tmp_path / "catalogs")])
    assert main(["build", "cohen", "--json"]) == 3
    output = capsys.readouterr()
    assert json.loads(output.out)["error"] == "AccessRequired"
    assert "1. Sign.\n  2. Wait." in output.err
    assert "covid-datasets build cohen --data-dir FOLDER" in output.err


# --- the whole real data -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """Build both sources from their complete trees, hashing and decoding everything."""
    cache = tmp_path_factory.mktemp("whole")
    return {name: build_dataset(name, data_dir=REAL / name, cache_dir=cache, num_proc=2) for name in ARCHIVE}


def straddling(report: AuditReport) -> dict[str, int]:
    return {finding.kind: finding.straddling for finding in report.findings}


@needs_real
def test_covid_ct_whole(whole: dict[str, Built]) -> None:
    built = whole["covid_ct"]
    assert (built.rows, built.patients, built.incomplete) == (746, 384, False)
    assert built.labels == {"covid19": 349, "not_covid19": 397}
    assert not [line for line in built.manifest()["comparison"] if "differs" in line]
    assert not audit_build(built, "patient").leaks
    official = audit_build(built, "official")
    assert official.rows == {"test": 203, "train": 425, "validation": 118}
    found = straddling(official)
    assert (found["patient"], found["same bytes"], found["same pixels"]) == (0, 0, 0)
    (ties,) = [finding for finding in official.findings if finding.kind == "tie"]
    # Three articles, and the figure that is in both classes; 32 and 6 rows.
    groups = ("2020.03.13.20035212", "2020.03.22.20040782", "2020.03.12.20034686", "10.3348/kjr.2020.0132")
    assert (ties.straddling, ties.leaking_rows) == (4, 38)
    assert all(any(group in example for example in ties.examples) for group in groups)
    assert found["near-duplicate"] == 2
    assert [text.count("kjr-21-e24") for text in official.contradictions] == [1, 1]


@needs_real
def test_cohen_whole(whole: dict[str, Built]) -> None:
    built = whole["cohen"]
    assert not built.incomplete, "14 files may be missing in a copy; the catalog tolerates that"
    assert 711 <= built.rows <= 725
    assert built.patients is not None
    assert built.patients <= 361
    assert not audit_build(built, "patient").leaks
    kinds: dict[str, int] = {}
    for notice in built.manifest()["notices"]:
        kinds[notice["kind"]] = kinds.get(notice["kind"], 0) + 1
    assert kinds["image not in the repository"] == 21
    assert kinds["row listed twice"] == 5
    assert kinds["file not in the table"] >= 12


@needs_real
def test_whole_sources_together(whole: dict[str, Built]) -> None:
    cache: Any = whole["cohen"].path.parents[4]
    assert find_build("cohen", cache_dir=cache).fingerprint == whole["cohen"].fingerprint
    chosen = select([whole["covid_ct"], whole["cohen"]], "patient")
    where: dict[str, set[str]] = {}
    for number, name in enumerate(("covid_ct", "cohen")):
        index = Index.read(whole[name].path)
        ties = index.column("ties")
        for split, parts in chosen.splits.items():
            for row in parts[number]:
                for tie in ties[int(row)]:  # type: ignore[attr-defined]
                    where.setdefault(tie, set()).add(split)
    assert {tie for tie, splits in where.items() if len(splits) > 1} == set()
