"""No file of less than 10 MB takes more than 500 MB of memory, whatever it claims; what claims too much is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pydicom")
pytest.importorskip("nibabel")
pytest.importorskip("av")

from covid_datasets.read.bounds import MAX_HEADER_READS, Counted, too_large

ROOT = Path(__file__).parents[2]
MEGABYTES = 500


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is counted as Linux tells it")
def test_no_small_file_takes_much_memory() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.read.attacks"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) > 25
    wrong = [one for one in told if one["megabytes"] > MEGABYTES or not one["outcome"].startswith(("read", "refused"))]
    assert wrong == []
    small = [one["bytes"] for one in told if one["name"] != "claims gigabytes"]
    assert max(small) < 10_000_000
    outcomes = {(one["way"], one["name"]): one["outcome"].partition(":")[0] for one in told}
    assert outcomes["film", "run lengths of the largest film"] == "read", "a bound must not refuse what is real"
    assert outcomes["film", "run lengths of a slice of 16384"] == "refused"
    assert outcomes["volume", "64 bits a voxel"] == outcomes["mask", "64 bits a voxel"] == "read", "slice by slice"


def test_real_volumes_are_within_bounds() -> None:
    assert too_large((1000, 512, 512), 2, 120_000_000) == ""
    assert too_large((300, 512, 512), 8, 60_000_000) == ""
    assert too_large((60, 2048, 2048), 2, 200_000_000) == ""
    assert "slices of" in too_large((2, 3000, 3000), 2, 10_000_000)
    assert "the limit is 4,294,967,296" in too_large((10_000, 512, 512), 2, 10**10)


def test_a_header_is_read_from_so_many_times() -> None:
    data = Counted(bytes(10))
    for _ in range(MAX_HEADER_READS):
        data.read(0)
    with pytest.raises(ValueError, match="more than 200,000 pieces"):
        data.read(0)
