"""Scores are made on machines that train nothing: evaluating needs neither torch nor what is built on it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

ELSEWHERE = ("torchvision", "timm", "lightning", "pytorch_lightning", "tensorboard", "wandb")
"""What a user may have in a version that breaks beside this torch, or may lack."""
HEAVY = ("torch", "torchvision", "monai", "sklearn", "pandas", "datasets")


def test_evaluating_imports_nothing_heavy() -> None:
    code = "import sys, covid_datasets\ncovid_datasets.evaluate, covid_datasets.compare\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(HEAVY) & set(done.stdout.split()) == set()


@pytest.mark.skipif(not all(map(find_spec, ("torch", "monai", "safetensors"))), reason="needs the extra baselines")
def test_every_module_and_network_is_there_without_torchvision_timm_and_lightning() -> None:
    code = f"""if True:
        import importlib, pkgutil, sys
        sys.modules |= dict.fromkeys({ELSEWHERE!r})  # each import of them is an ImportError
        import covid_datasets.baselines as room
        for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        from covid_datasets.baselines.networks.named import NETWORKS, make_network
        for name in NETWORKS:
            make_network(name, 2, width=0.1)
        print(*(name for name, module in sys.modules.items() if module))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert {"torch", "monai", "covid_datasets.baselines.train.loop"} <= loaded
    assert not loaded & set(ELSEWHERE)
