"""Folders and paths as people have them by accident: each is read, or refused with an error of ours; none blocks."""

from __future__ import annotations

import inspect
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import covid_datasets
from covid_datasets import build_dataset, check, find_build, info, load_dataset, verify
from covid_datasets.disk import read_json
from covid_datasets.errors import CovidDatasetsError, UnreadableError, UsageError
from covid_datasets.raw.archives import open_archive
from covid_datasets.raw.mounts import Look, TreeMount
from tests.processes import python

NAMES: list[Any] = [
    5,
    None,
    b"x",
    1.5,
    {},
    object,
    Path("cohen"),
    [5],
    [None],
    "",
    "x" * 5000,
    "a\0b",
    "@",
    "../cohen",
    "COHEN",
]
PATHS = [
    5,
    b"/tmp",
    ["a"],
    "/tmp/" + "x" * 300,
    "/tmp/" + "y/" * 3000,
    "/tmp/a\0b",
    "~nobody-lives-here/x",
    "/tmp/\udce9",
]


@pytest.mark.parametrize("call", [load_dataset, build_dataset, info, find_build, verify, lambda name: check(name, ".")])
@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:12])
def test_whatever_is_given_as_a_name(call: Callable[..., object], name: object) -> None:
    with pytest.raises(CovidDatasetsError) as error:
        call(name)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:12])
def test_whatever_is_given_as_a_path(path: object) -> None:
    calls: list[Callable[[], object]] = [
        lambda: build_dataset("phantom", "small", cache_dir=path, num_proc=1),  # type: ignore[arg-type]
        lambda: find_build("phantom", "small", cache_dir=path),  # type: ignore[arg-type]
        lambda: check("covid_ct", path),  # type: ignore[arg-type]
        lambda: build_dataset("covid_ct", data_dir=path, num_proc=1),  # type: ignore[arg-type]
        lambda: find_build("covid_ct", data_dir=path),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(UsageError, match="cache_dir: expected|data_dir: expected"):
            call()


CALLS: dict[str, dict[str, Any]] = {
    "audit": {"what": "phantom", "config": "small"},
    "build_dataset": {"name": "phantom", "config": "small"},
    "check": {"name": "covid_ct", "data_dir": "."},
    "clean_cache": {},
    "find_build": {"name": "phantom", "config": "small"},
    "info": {"name": "phantom"},
    "load_dataset": {"name": "phantom", "config": "small"},
    "load_splits": {"name": "phantom", "config": "small"},
    "make_mirror": {"names": ["phantom"], "destination": "mirror"},
    "overlaps": {"names": ["phantom", "cohen"]},
    "propose_splits": {"name": "phantom", "config": "small"},
    "verify": {"name": "phantom", "config": "small"},
}
"""Calls that are right; each argument in turn is not."""
PARAMETERS = {name: tuple(inspect.signature(getattr(covid_datasets, name)).parameters) for name in CALLS}
PUBLIC = [(name, argument) for name in CALLS for argument in PARAMETERS[name]]


@pytest.fixture(scope="module")
def one_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("name", "argument"), PUBLIC)
def test_whatever_is_given_as_an_argument(
    name: str, argument: str, tmp_path: Path, one_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Among what is wrong, some is right for one or the other argument. Nothing may end in an error that is not ours.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(one_cache))
    function = getattr(covid_datasets, name)
    if argument in ("executor", "filters"):
        return
    for number, odd in enumerate(
        (5, -1, 1.5, "a\0b", "\udcff", b"x", [5], {}, {"a": 5}, object(), ("a", 5), "x" * 5000)
    ):
        chosen = {"cache_dir": tmp_path / str(number)} if argument in ("num_proc", "shard_bytes", "mirror") else {}
        arguments = CALLS[name] | {key: at for key, at in chosen.items() if key in PARAMETERS[name]} | {argument: odd}
        with suppress(CovidDatasetsError):
            function(**arguments)


def test_one_name_is_a_list_of_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"names: expected two or more different datasets, found \['phantom'\]"):
        covid_datasets.overlaps("phantom", cache_dir=tmp_path)
    assert covid_datasets.make_mirror("phantom", tmp_path / "mirror", cache_dir=tmp_path) == []


def test_pipes_sockets_and_devices_do_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"x")
    os.mkfifo(data / "pipe.png")
    os.mkfifo(data / "pipe.zip")
    (data / "zero.png").symlink_to("/dev/zero")
    monkeypatch.chdir(data)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.png")
        code = (
            "import sys; from covid_datasets import check; from covid_datasets.errors import UsageError\n"
            "print(check('covid_ct', sys.argv[1]).files)\n"
            "for path in sys.argv[2:]:\n"
            "    try: check('covid_ct', path)\n"
            "    except UsageError as error: print(error)\n"
        )
        done = python(code, data, data / "pipe.zip", "/dev/zero", data / "socket.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("found a device, a pipe or a socket") == 3


def test_a_diamond_of_links_is_walked_once(tmp_path: Path) -> None:
    for number in range(30):  # 2 ** 30 ways lead to the file
        (tmp_path / f"{number}").mkdir()
        if number < 29:
            for name in ("left", "right"):
                (tmp_path / f"{number}" / name).symlink_to(tmp_path / f"{number + 1}")
    (tmp_path / "29" / "a.png").write_bytes(b"x")
    sizes = open_archive((str(tmp_path / "0"),)).sizes()
    assert list(sizes) == ["/".join(["left"] * 29) + "/a.png"]


def test_links_that_lead_to_each_other_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "c.png").write_bytes(b"x")
    folder = open_archive((str(tmp_path),))
    assert dict(folder.sizes()) == {"c.png": 1}
    assert folder.size("a") is None


def test_names_that_are_no_text_belong_to_no_source_and_are_told(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.png").write_bytes(b"x")
    (tmp_path / "café.png").write_bytes(b"x")
    assert list(Look().sizes(TreeMount((str(tmp_path),)))) == ["café.png"]
    assert f"{tmp_path}/caf\\udce9.png" in check("covid_ct", tmp_path).extra


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """Give a folder that other users may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("closed", ["folder", "file", "archive"])
def test_what_may_not_be_read_is_named_with_what_to_do(everybodys: Path, closed: str) -> None:
    # root may read everything, so the reader of this test is nobody.
    data = everybodys / "data"
    (data / "folder").mkdir(parents=True)
    (data / "folder" / "a.png").write_bytes(b"x")
    shutil.make_archive(str(data / "archive"), "zip", data / "folder")
    place = {"folder": data / "folder", "file": data / "folder/a.png", "archive": data / "archive.zip"}[closed]
    place.chmod(0)
    code = (
        "import os, sys\n"
        "from covid_datasets.errors import UnreadableError\n"
        "from covid_datasets.raw.archives import open_archive\n"
        "from covid_datasets.raw.mounts import Look\n"
        "from covid_datasets.raw.places import look_into\n"
        "from pathlib import Path\n"
        "if not os.geteuid(): os.setegid(65534); os.seteuid(65534)\n"
        "try:\n"
        "    look_into(Path(sys.argv[1]), Look())\n"
        "    open_archive((sys.argv[1],)).read('folder/a.png')\n"
        "except UnreadableError as error: print(error)\n"
    )
    done = python(code, data)
    place.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert str(place) in done.stdout
    assert "cannot be read: Permission denied. Next: give yourself the right to read it" in done.stdout


def test_a_disk_that_fails_is_no_damage_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.make_archive(str(tmp_path / "x"), "tar", tmp_path)

    def failing(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(UnreadableError, match=r"x\.tar: cannot be read: Input/output error\. Next: try again"):
        open_archive((str(tmp_path / "x.tar"),))


def test_a_record_that_cannot_be_read_is_no_absent_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "record.json").write_text("{}", encoding="utf-8")
    assert read_json(tmp_path / "record.json") == read_json(tmp_path / "none.json") == {}

    def failing(*_: object, **__: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "read_text", failing)
    with pytest.raises(UnreadableError, match=r"record\.json: cannot be read: Input/output error"):
        read_json(tmp_path / "record.json")
