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
_OURS = re.compile(r"^(?:import|from) (covid_datasets[\w.]*)", re.MULTILINE)
ABSENT = {name for name in (*EXTRAS, "tensorflow") if not find_spec(name)}
_EXAMPLES_NEED = {
    "torch": ("load/collate.py", "load/fixed/to_torch.py"),
    "safetensors": tuple(f"baselines/segment/{name}.py" for name in ("derived", "learned", "taught")),
    "tensorflow": ("load/to_tf.py",),
}
"""Modules that can be imported without a library, and have examples that cannot be run without it."""


def lacking() -> set[Path]:
    """List the modules that cannot be imported here: they import what is absent, or one that does."""
    texts = {path: path.read_text("utf-8") for path in HOUSE.rglob("*.py")}
    found = {path for path, text in texts.items() if ABSENT.intersection(_IMPORTS.findall(text))}
    while True:
        names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found}
        further = {path for path, text in texts.items() if names.intersection(_OURS.findall(text))} - found
        if not further:
            return found
        found |= further


collect_ignore = sorted(map(str, lacking()))
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
