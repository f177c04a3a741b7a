"""Augmentations by name: those of papers as far as they say them, and a modest one of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from covid_datasets.errors import UsageError, did_you_mean
from covid_datasets.transforms.joint.augment import Augment

PRESETS: Mapping[str, Augment] = {
    "covid-ct": Augment(size=480, crop=0.5, aspect=1 / 3, flip=0.5, gain=0.2, contrast=0.2),
    "moco": Augment(
        size=224, crop=0.2, aspect=1 / 3, flip=0.5, gain=0.4, contrast=0.4, tone_share=0.8, blur=2.0, blur_share=0.5
    ),
    "modern": Augment(
        crop=0.7, aspect=0.1, rotate=10, shift=0.03, elastic=0.01, brightness=0.05, contrast=0.15, gamma=0.2, noise=0.02
    ),
}
"""Augmentations by name; ``docs/transforms.md`` says where their numbers are from."""


def preset(name: str, **changes: Any) -> Augment:
    """Return an augmentation by name; some of its numbers may be others.

    >>> preset("covid-ct", size=224).crop
    0.5
    >>> preset("covidct")
    Traceback (most recent call last):
        ...
    covid_datasets.errors.UsageError: preset: expected one of covid-ct, ... found 'covidct'. Did you mean 'covid-ct'?
    """
    if name not in PRESETS:
        raise UsageError(f"preset: expected one of {', '.join(PRESETS)}, found {name!r}{did_you_mean(name, PRESETS)}")
    names = [each.name for each in fields(Augment)]
    for each in changes:
        if each not in names:
            raise UsageError(f"{each}: expected one of {', '.join(names)}{did_you_mean(each, names)}")
    return Augment(**{each: getattr(PRESETS[name], each) for each in names} | changes)
