"""Every test and docstring example runs alone: its own cache, no mirror, nothing that phones home."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
HOUSE = ROOT / "covid_datasets"

EXTRAS = ("torch", "safetensors", "monai", "torchio", "starlette")
"""Libraries that some modules import when they are imported themselves, and which not every environment has."""
_IMPORTS = re.compile(rf"^(?:import|from) ({'|'.join(EXTRAS)})\b", re.MULTILINE)
ABSENT = {name for name in (*EXTRAS, "tensorflow") if not find_spec(name)}
_EXAMPLES_NEED = {
    "torch": ("load/collate.py", "load/fixed/to_torch.py"),
    "safetensors": ("baselines/segment/figures.py", "baselines/segment/learned.py"),
    "tensorflow": ("load/to_tf.py",),
}
"""Modules that can be imported without a library, and have examples that cannot be run without it."""

collect_ignore = [
    str(path) for path in HOUSE.rglob("*.py") if ABSENT.intersection(_IMPORTS.findall(path.read_text("utf-8")))
]
collect_ignore += [str(HOUSE / path) for name in ABSENT for path in _EXAMPLES_NEED.get(name, ())]
collect_ignore.append(str(HOUSE / "tfds.py"))  # has no example, and importing it takes TensorFlow Datasets


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests away from the user's cache, mirror, settings and keys."""
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home"))
    monkeypatch.setenv("COVID_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COVID_DATASETS_BUILDERS", raising=False)
    monkeypatch.delenv("COVID_DATASETS_MIRROR", raising=False)
    monkeypatch.delenv("COVID_DATASETS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what `make test` leaves out, that .ci/run does not."""
    if "COVID_DATASETS_OUTSIDE" not in os.environ:
        terminalreporter.write_line(
            "left out: opening exports in an environment that lacks this library. .ci/run makes one from "
            ".ci/outside.txt; or name its Python with COVID_DATASETS_OUTSIDE"
        )


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Return the folder of real files, laid out as a mirror: ``<host>/<path>``."""
    given = os.environ.get("COVID_DATASETS_TEST_MIRROR")
    folder = Path(given) if given else ROOT.parent / "shared" / "mirror"
    if not folder.is_dir():
        pytest.skip(f"no mirror of real files: COVID_DATASETS_TEST_MIRROR is not set and {folder} is not there")
    return folder.resolve()
