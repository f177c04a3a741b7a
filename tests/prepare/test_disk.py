"""Disks that are full or read-only: the error says what to do, nothing half done is visible, and it goes on later."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from covid_datasets.errors import BuildError, NoSpaceError
from covid_datasets.prepare import engine
from covid_datasets.prepare.engine import build_dataset
from covid_datasets.prepare.workers import telling, worker_pool
from tests.processes import private_mounts, with_mounts

needs_mounts = pytest.mark.skipif(not private_mounts(), reason="needs to mount, in a name space of its own")

SETUP = 'mkdir "$DISK"; mount -t tmpfs -o size=$SIZE tmpfs "$DISK"; export COVID_DATASETS_CACHE="$DISK/cache"\n'
COMMAND = "-m covid_datasets build phantom --config default --num-proc 2 --json"

GROW = """
import errno, json, subprocess, sys
from pathlib import Path
from covid_datasets.prepare import engine
from covid_datasets.errors import NoSpaceError, NotBuiltError
from covid_datasets.prepare.find import find_build
disk, told = Path(sys.argv[1]), []
engine.SPARE_BYTES = -(1 << 40)  # as if somebody else filled the disk after the look at what is free
for step in range(1, 100):
    subprocess.run(["mount", "-o", f"remount,size={step * 263}k", disk], check=True)
    try:
        built = engine.build_dataset("phantom", "small", cache_dir=disk / "cache", num_proc=2, shard_bytes=200_000)
        break
    except NoSpaceError as error:
        told.append(str(error))
        kept = len(list(disk.rglob("piece-*/index.arrow")))
        assert not list(disk.glob("cache/prepared/phantom/*/*/*")), "half a build is visible"
        assert not list(disk.rglob("attempt-*")), "half a piece is left"
print(json.dumps({"fingerprint": built.fingerprint, "told": told, "left": list(map(str, disk.rglob(".work/*")))}))
"""


@needs_mounts
def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = with_mounts(
        SETUP + f'code=0; "$PYTHON" {COMMAND} || code=$?; find "$DISK" -name "*.arrow" >&2; exit $code',
        DISK=tmp_path / "disk",
        SIZE="16m",
    )
    assert done.returncode == 7, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["error"], answer["exit_code"]) == ("NoSpaceError", 7)
    assert "Next: free some space, or choose another place with cache_dir=, --cache-dir" in answer["message"]
    assert ".arrow" not in done.stderr.replace(answer["message"], "")


@needs_mounts
def test_a_disk_that_fills_up_is_told_and_the_same_command_completes(tmp_path: Path) -> None:
    full = (
        "from covid_datasets.prepare import engine; engine.SPARE_BYTES = -(1 << 40); "
        "import sys; from covid_datasets.cli import main; sys.exit(main())"
    )
    script = SETUP + (
        f'code=0; "$PYTHON" -c "{full}" {COMMAND.removeprefix("-m covid_datasets ")} || code=$?; echo $code\n'
        'ls "$DISK/cache/prepared" | sort\n'
        'mount -o remount,size=200m "$DISK"\n'
        f'"$PYTHON" {COMMAND}\n'
        'find "$DISK/cache/prepared/.work" -mindepth 1'
    )
    done = with_mounts(script, DISK=tmp_path / "disk", SIZE="12m")
    assert done.returncode == 0, done.stderr
    refused, code, *visible, built = done.stdout.splitlines()
    assert code == "7"
    assert visible == []  # nothing but .work, which ls leaves out
    message = json.loads(refused)["message"]
    assert "the disk is full" in message
    assert "Finished shards are kept: run the same command again to go on." in message
    assert json.loads(built)["rows"] == 168


@needs_mounts
def test_wherever_the_disk_is_full_the_build_goes_on_when_it_grows(tmp_path: Path) -> None:
    done = with_mounts(SETUP + f'"$PYTHON" - "$DISK" <<"END"\n{GROW}\nEND', DISK=tmp_path / "disk", SIZE="64k")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["fingerprint"] == build_dataset("phantom", "small").fingerprint
    assert len(found["told"]) > 10
    assert all("disk" in text for text in found["told"])
    assert found["left"] == []


@needs_mounts
def test_a_disk_without_a_single_free_byte_is_told(tmp_path: Path) -> None:
    script = SETUP + (
        'mkdir -p "$COVID_DATASETS_CACHE"; cat /dev/zero > "$DISK/filler" 2>/dev/null || true\n'
        f'code=0; "$PYTHON" {COMMAND} || code=$?; echo $code\n'
        'rm "$DISK/filler"\n'
        f'"$PYTHON" {COMMAND}\n'
    )
    done = with_mounts(script, DISK=tmp_path / "disk", SIZE="150m")
    assert done.returncode == 0, done.stderr
    refused, code, built = done.stdout.splitlines()
    assert (json.loads(refused)["exit_code"], code) == (7, "7")
    assert json.loads(built)["rows"] == 168


@needs_mounts
def test_a_read_only_cache_serves_what_is_built_and_says_so_otherwise(tmp_path: Path) -> None:
    script = SETUP + (
        '"$PYTHON" -m covid_datasets build phantom --config small --num-proc 1 --json\n'
        'mount -o remount,ro "$DISK"\n'
        '"$PYTHON" -c "\n'
        "import covid_datasets\n"
        "split = covid_datasets.load_dataset('phantom', 'small', split='train')\n"
        "print(len(split), split[0]['image'].size)\n"
        "print(len(covid_datasets.load_dataset('phantom', 'small', split='all', framework='numpy')))\"\n"
        '"$PYTHON" -m covid_datasets build phantom --config small --json\n'
        '"$PYTHON" -m covid_datasets verify phantom --config small --json\n'
        f'code=0; "$PYTHON" {COMMAND} || code=$?; echo $code'
    )
    done = with_mounts(script, DISK=tmp_path / "disk", SIZE="100m")
    assert done.returncode == 0, done.stderr
    first, split, whole, second, verified, refused, code = done.stdout.splitlines()
    assert json.loads(first) == json.loads(second)
    assert split.startswith(f"{json.loads(first)['splits']['train']} (")
    assert whole == "42"
    assert json.loads(verified)["ok"]
    assert code == "6"
    answer = json.loads(refused)
    assert answer["error"] == "CacheError"
    assert "COVID_DATASETS_CACHE" in answer["message"]


def no_space() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def over_quota() -> None:
    raise OSError(errno.EDQUOT, "Disk quota exceeded")


def other() -> None:
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("function", "kind"), [(no_space, NoSpaceError), (over_quota, NoSpaceError), (other, BuildError)]
)
def test_errors_of_disks_keep_their_meaning_on_the_way_out_of_a_worker(
    tmp_path: Path, function: Callable[[], None], kind: type[Exception]
) -> None:
    with worker_pool(None, 2) as pool:
        assert pool is not None
        failed = pool.submit(function)
        with pytest.raises(kind, match="run the same command again to go on"), telling(tmp_path):
            failed.result()


@needs_mounts
def test_arrow_tells_a_full_disk_by_the_number_that_we_look_for() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match="No space left") as caught, pa.OSFile("/dev/full", "wb") as file:
        file.write(b"x")
    assert caught.value.errno == errno.ENOSPC


def test_what_is_there_already_counts_as_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SPARE_BYTES", 1 << 60)
    with pytest.raises(NoSpaceError, match=r"needed 2,\d{3},\d{3} bytes and 1,152,.* to spare, free .* are missing"):
        build_dataset("phantom", "small", cache_dir=tmp_path)
    assert not list(tmp_path.rglob("*.arrow"))
