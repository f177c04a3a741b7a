"""The thorough level: copies that were cropped, turned, mirrored, inverted or put into figures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PIL import Image

from covid_datasets.audits.bonds import Bond, copies_of
from covid_datasets.audits.looks import Look, shown
from covid_datasets.audits.sample import Sample
from covid_datasets.errors import CovidDatasetsError

MOST = 2_000
"""Pictures up to which an audit is thorough where nobody says how it is to be."""


def registered(samples: Sequence[Sample], looks: Sequence[Look | None], known: Sequence[Bond]) -> list[Bond]:
    """Find pairs of different pictures that can be laid on each other; those that are ``known`` are not told again."""
    from covid_datasets.audits.finder import find_copies  # OpenCV, an extra

    copies = [rows for rows in copies_of(looks) if samples[rows[0]].form == "picture"]
    told = {frozenset((bond.first[0], bond.second[0])) for bond in known if bond.kind == "near-duplicate"}
    found = []
    for copy in find_copies([partial(_grey, samples[rows[0]]) for rows in copies]):
        one, other = copies[copy.first], copies[copy.second]
        if frozenset((one[0], other[0])) not in told:
            found.append(Bond("registered", one, other, str(copy.proof), copy.proof.likeness))
    return found


def _grey(sample: Sample) -> Image.Image | None:
    try:
        return None if sample.read is None else shown(sample.read(), sample.name, sample.form)
    except (CovidDatasetsError, OSError):  # told when it was looked at for the quick level
        return None
