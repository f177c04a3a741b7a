"""An environment like a user's own: the peers are there, this library is not."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "COVID_DATASETS_OUTSIDE"
WITHOUT = f"{VARIABLE} names no Python that lacks this library; .ci/run makes one"
"""Why a test is left out by `make test`."""


needs_outside = pytest.mark.skipif(VARIABLE not in os.environ, reason=WITHOUT)
"""Of a test that has nothing to say without it; `make test` then tells in its summary that it was left out."""


def outside(script: str, *arguments: str | Path, timeout: float = 300) -> Any:
    """Run a script there and return what it prints on its last line, which is JSON; skip where there is no such place.

    The script finds its arguments in ``sys.argv[1:]``. It runs in an empty home, without a network.
    """
    if not (python := os.environ.get(VARIABLE)):
        pytest.skip(WITHOUT)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [python, "-I", "-c", _ALONE + textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=os.environ["HOME"] if Path(os.environ["HOME"]).is_dir() else None,
        env=environment | {"HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    return json.loads(done.stdout.strip().splitlines()[-1])


_ALONE = """
import importlib.util
assert importlib.util.find_spec("covid_datasets") is None, "this environment has the library that it should lack"
"""
