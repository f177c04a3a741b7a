"""A checkout of its own that holds a few sources and no others, and the conformance suite run on it in a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
KEPT = ("phantom",)
"""Sources that are always there: test pictures come from it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the suite: each test that failed, by ``test[parameters]``, with its message; and how many passed."""

    failed: Mapping[str, str]
    passed: int

    def of(self, name: str) -> dict[str, str]:
        """Keep what failed for one source: test -> message."""
        mine = (f"[{name}]", f"[{name}-")
        return {
            test.partition("[")[0]: message
            for test, message in self.failed.items()
            if any(part in test for part in mine)
        }


def make_checkout(folder: Path) -> Path:
    """Copy this checkout without its sources."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "covid_datasets", folder / "covid_datasets", ignore=ignored)
    for package, kind in (("builders", ".py"), ("catalogs", ".toml"), ("tests/sources", ".py")):
        (folder / package).mkdir(parents=True)
        for stem in (*KEPT, "__init__", "_taxonomy"):
            if (file := ROOT / package / f"{stem}{kind}").exists():
                shutil.copy(file, folder / package)
    for name in ("manifests", "listings", "splits", "identities"):
        (folder / "catalogs" / name).mkdir()
    for name in KEPT:
        if (published := ROOT / "catalogs/splits" / f"{name}.csv").exists():
            shutil.copy(published, folder / "catalogs/splits")
    (folder / "catalogs/__init__.py").touch()
    for package in ("builders", "catalogs"):  # as they are installed
        (folder / "covid_datasets" / package).symlink_to(folder / package, target_is_directory=True)
    shutil.copytree(ROOT / "tests/conformance", folder / "tests/conformance", ignore=ignored)
    for file in ROOT.glob("tests/*.py"):
        shutil.copy(file, folder / "tests")
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "docs/sources").mkdir(parents=True)
    return folder


def write_pages(checkout: Path) -> None:
    """Write the pages of the sources of a checkout, as ``make docs`` does."""
    done = _run(checkout, "covid_datasets.contribute.pages")
    assert done.returncode == 0, done.stderr


def run_suite(checkout: Path, names: Iterable[str]) -> Outcome:
    """Run the conformance suite for some sources of a checkout."""
    suite = ("tests/test_conformance.py", "tests/conformance")
    chosen = " or ".join(f"[{name}" for name in names)
    done = _run(checkout, "pytest", *suite, "-q", "-p", "no:cacheprovider", "--junitxml", "outcome.xml", "-k", chosen)
    if not (checkout / "outcome.xml").exists():
        raise AssertionError(f"the suite did not run:\n{done.stdout}\n{done.stderr}")
    cases = list(ElementTree.parse(checkout / "outcome.xml").iter("testcase"))  # our own file
    failed = {
        case.get("name", ""): f"{problem.get('message')}\n{problem.text}"
        for case in cases
        for problem in [*case.findall("failure"), *case.findall("error")]
    }
    return Outcome(failed, len(cases) - len(failed))


def _run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST_"))}
    environment |= {"PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
