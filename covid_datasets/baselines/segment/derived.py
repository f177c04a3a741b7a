"""Derived datasets whose masks a network draws: what ships, or what was trained, named by the digest of its weights."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from covid_datasets.baselines.segment.learned import infection_by, lungs_by
from covid_datasets.extras import need
from covid_datasets.transforms.derive.chest import INFECTION, LUNGS, WAY, infection_of, infection_rate, lungs_of
from covid_datasets.transforms.derive.contract import Derived, Sample, derives

if TYPE_CHECKING:
    from covid_datasets.baselines.segment.weights import Weights


def weights_digest(weights: str = "") -> str:
    """Say which weights those of a run, or of a file, are now.

    >>> weights_digest() == weights_digest("")
    True
    """
    return f"weights {_read(weights).sha256}"


def _read(weights: str) -> Weights:
    need("torch", "safetensors")
    from covid_datasets.baselines.segment.weights import WEIGHTS

    path = Path(weights) / WEIGHTS if weights and Path(weights).is_dir() else Path(weights)
    changed = path.stat().st_mtime_ns if weights and path.exists() else 0
    found: Weights = _kept(weights, changed)
    return found


@lru_cache(maxsize=4)
def _kept(weights: str, changed: int) -> Any:
    from covid_datasets.baselines.segment.weights import load_weights

    return load_weights(weights or None)


@derives(LUNGS, modalities=("CT",), series=True, version=WAY, made_with=weights_digest)
def learned_lungs(sample: Sample, weights: str = "") -> Derived:
    """Give the lungs as `covid_datasets.learned_lungs` finds them, where their publisher did not draw them."""
    found = _read(weights)
    return lungs_of(sample, lungs_by(found.network, found.name)).derived()


@derives(INFECTION, modalities=("CT",), series=True, version=WAY, made_with=weights_digest, counted=infection_rate)
def learned_infection(sample: Sample, weights: str = "") -> Derived:
    """Give the lungs, and what is infected in them, both as one network finds them."""
    found = _read(weights)
    lungs = lungs_of(sample, lungs_by(found.network, found.name))
    return infection_of(sample, lungs, infection_by(found.network, found.name))
