"""The labels against the values of each trait, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from covid_datasets.audits.traits.report import Told
from covid_datasets.audits.traits.told import Trait

_FIRST = {"size": "width", "shape": "width / height", "compression": "bytes a pixel", "bit_depth": "bits"}
"""What the first number of a trait is, by which its rows are counted in quarters."""


def told_of(traits: Sequence[Trait], labels: Sequence[str]) -> Iterator[Told]:
    """Count the labels of each value of each trait, the commonest first; of numbers in quarters, the lowest first."""
    for trait in traits:
        words, order = _words(trait)
        counts, pairs = Counter(words), Counter(zip(words, labels, strict=True))
        for value in order:
            with_value = [label for label in set(labels) if pairs[value, label]]
            for label in sorted(with_value, key=lambda each: (-pairs[value, each], each)):
                yield Told(trait.name, value, label, pairs[value, label], pairs[value, label] / counts[value])


def _words(trait: Trait) -> tuple[list[str], list[str]]:
    """Say the value of each row in words, and the order of these words."""
    feature = trait.features[0]
    if feature.dtype == object:
        words = ["unknown" if each is None else str(each) for each in feature.tolist()]
        counts = Counter(words)
        return words, sorted(counts, key=lambda each: (-counts[each], each))
    known = feature[~np.isnan(feature)]
    bounds = np.unique(np.percentile(known, (25, 50, 75, 100), method="nearest")) if len(known) else np.empty(0)
    what = _FIRST.get(trait.name, trait.name)
    texts = [f"{what} to {bound:.4g}" for bound in bounds]
    words = ["unknown" if np.isnan(each) else texts[np.searchsorted(bounds, each)] for each in feature.tolist()]
    return words, [*texts, "unknown"]
