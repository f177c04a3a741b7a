"""Every test and docstring example runs alone: its own cache, no mirror, nothing that phones home."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent

# Their docstring examples need the extras that `make test` does without; most cannot even be imported.
NEED_TORCH = [
    "covid_datasets/baselines/explain/attention.py",
    *(f"covid_datasets/baselines/networks/{name}.py" for name in ("inception", "mobilenet", "vgg", "xception")),
    "covid_datasets/load/collate.py",
    "covid_datasets/load/fixed/to_torch.py",
    "covid_datasets/load/fixed/torch_batches.py",
    "covid_datasets/load/torch_rows.py",
    "covid_datasets/transforms/joint/on_torch.py",
]
collect_ignore = [] if find_spec("torch") else NEED_TORCH
if not (find_spec("torch") and find_spec("safetensors")):
    collect_ignore_glob = ["covid_datasets/baselines/segment/*"]
    collect_ignore += [
        f"covid_datasets/baselines/train/{name}.py" for name in ("loop", "machine", "predictions", "score", "state")
    ]
collect_ignore += [f"covid_datasets/load/{name}_rows.py" for name in ("monai", "torchio") if not find_spec(name)]
collect_ignore += [] if find_spec("monai") else ["covid_datasets/transforms/joint/on_monai.py"]
collect_ignore += [] if find_spec("tensorflow") else ["covid_datasets/load/to_tf.py"]
collect_ignore += [] if find_spec("starlette") else ["covid_datasets/view/browse/app.py"]
collect_ignore.append("covid_datasets/tfds.py")  # has no example, and importing it takes TensorFlow Datasets


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
