"""What is killed, or has no room, goes on where it was: the same weights to the last bit."""

from __future__ import annotations

import json
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from covid_datasets import train
from covid_datasets.baselines.recipe import read_recipe
from covid_datasets.errors import DamagedFileError
from tests.baselines.quick import QUICK, SCHEME
from tests.processes import private_mounts, python, with_mounts

pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, ("torch", "safetensors"))), reason="needs the extra baselines"),
    pytest.mark.usefixtures("one_thread"),
]
needs_mounts = pytest.mark.skipif(not private_mounts(), reason="needs to mount, in a name space of its own")
OPTIONS: dict[str, Any] = {"scheme": SCHEME, "seed": 5, "device": "cpu", "changes": QUICK, "checkpoint_steps": 2}

KILLED = """
import json, os, signal, sys
import torch
from covid_datasets import train
from covid_datasets.baselines.train import loop
torch.set_num_threads(1)
writes, write = [], loop.write_state
def killed(*given):
    write(*given)
    writes.append(given)
    if len(writes) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
loop.write_state = killed
train("phantom", sys.argv[1], cache_dir=sys.argv[2], **json.loads(sys.argv[4]))
"""


def tensors_of(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from covid_datasets.baselines.train.state import read_tensors

    return read_tensors(path)


def measured(run: Any) -> list[tuple[float, ...]]:
    return [tuple(row[key] for key in ("epoch", "loss", "validation_auc", "validation_loss")) for row in run.history]


def test_a_killed_training_ends_with_the_same_bits(cohort: Path, tmp_path: Path) -> None:
    import torch

    whole = train("phantom", tmp_path / "whole", cache_dir=cohort, **OPTIONS)
    steps = 84 // QUICK["batch_size"]
    for writes in (1, steps // 2 + 2):  # within the first epoch, and within the second
        done = python(KILLED, tmp_path / "killed", cohort, str(writes), json.dumps(OPTIONS))
        assert done.returncode == -signal.SIGKILL, done.stderr
        _, about = tensors_of(tmp_path / "killed" / "state.safetensors")
        assert about["steps"] > 0, "killed within an epoch"
        assert not (tmp_path / "killed" / "predictions.csv").exists()
        if writes == 1:  # the second process goes on from the first one's state
            assert about["epoch"] == 0
    resumed = train("phantom", tmp_path / "killed", cache_dir=cohort, **OPTIONS)
    assert measured(resumed) == measured(whole)
    for name in ("checkpoint.safetensors", "state.safetensors"):
        one, other = (tensors_of(run.path / name)[0] for run in (whole, resumed))
        assert set(one) == set(other)
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert (whole.path / "predictions.csv").read_bytes() == (resumed.path / "predictions.csv").read_bytes()


FULL = """
import subprocess, sys
from pathlib import Path
import torch
from covid_datasets.baselines.train.state import read_tensors, write_tensors
from covid_datasets.errors import NoSpaceError
path = Path(sys.argv[1]) / "state.safetensors"
write_tensors(path, {"a": torch.zeros(100_000)}, {"step": 1})
try:
    write_tensors(path, {"a": torch.ones(400_000)}, {"step": 2})
except NoSpaceError as error:
    tensors, about = read_tensors(path)
    assert about == {"step": 1} and not tensors["a"].any(), about
    assert [each.name for each in path.parent.iterdir()] == ["state.safetensors"]
    print(error)
"""


@needs_mounts
def test_a_full_disk_keeps_the_checkpoint(tmp_path: Path) -> None:
    setup = 'mkdir "$DISK"; mount -t tmpfs -o size=1m tmpfs "$DISK"\n'
    done = with_mounts(f'{setup}"$PYTHON" -c "$CODE" "$DISK"', DISK=tmp_path / "disk", CODE=FULL)
    assert done.returncode == 0, done.stderr
    assert "The checkpoint before this one is kept, and the same command goes on from it" in done.stdout


def test_a_state_that_is_cut_is_told(cohort: Path, tmp_path: Path) -> None:
    path = tmp_path / "run" / "state.safetensors"
    run = train("phantom", tmp_path / "run", cache_dir=cohort, **OPTIONS)
    (run.path / "predictions.csv").unlink()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DamagedFileError, match="remove the folder of the run, and train anew"):
        train("phantom", tmp_path / "run", cache_dir=cohort, **OPTIONS)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_states_of_all_optimizers_come_back(optimizer: str, tmp_path: Path) -> None:
    import torch

    from covid_datasets.baselines.train.loop import optimizer_of
    from covid_datasets.baselines.train.state import Progress, read_state, write_state

    def stepped() -> tuple[Any, Any]:
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 2)
        return network, optimizer_of(read_recipe("small", optimizer=optimizer), network)

    def step(network: Any, by: Any) -> None:
        by.zero_grad()
        network(torch.ones(1, 3)).square().sum().backward()
        by.step()

    network, by = stepped()
    step(network, by)
    write_state(tmp_path / "s", network, by, Progress(epoch=3, best=(0.5, 0.1)))
    step(network, by)
    other, by_other = stepped()
    assert read_state(tmp_path / "s", other, by_other) == Progress(epoch=3, best=(0.5, 0.1))
    step(other, by_other)
    assert torch.equal(network.weight, other.weight)
