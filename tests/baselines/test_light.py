"""Scores are made on machines that train nothing: evaluating needs neither torch nor what is built on it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "torchvision", "monai", "sklearn", "pandas", "datasets")


def test_evaluating_imports_nothing_heavy() -> None:
    code = "import sys, covid_datasets\ncovid_datasets.evaluate, covid_datasets.compare\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(HEAVY) & set(done.stdout.split()) == set()
