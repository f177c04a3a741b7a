"""What is audited: one row of a split, the picture that belongs to it, and all of them together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from covid_datasets.own.table import SPLITS
from covid_datasets.schema import Notice

Form = Literal["picture", "volume", "dicom"]
"""What the bytes of a sample are."""
_PROTECTED = {"test": 3, "validation": 2, "train": 0}
_FILLING = frozenset(("", "set", "data", "dataset", "images", "imgs", "pictures", "split", "samples"))
"""Words beside the one that says the part."""
_FOLD = re.compile(r"(?:fold|cv|part)[ _-]?\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of a split.

    Attributes:
        name: Its file or row, as it was given.
        split: The part of the split that it is in.
        label: Its class; ``None`` where nobody says.
        patient: Who it shows; ``None`` where nobody says.
        group: Where nobody knows who it shows, the people whom nobody told apart and of whom it shows one.
        ties: What else binds it to others: an article, a study.
        read: Gives its bytes when they are asked for; ``None`` where there is no picture.
        form: What its bytes are.
        sha256: What a table says of its bytes; empty where they are looked at.
    """

    name: str
    split: str
    label: str | None = None
    patient: str | None = None
    group: str | None = None
    ties: tuple[str, ...] = ()
    read: Callable[[], bytes] | None = None
    form: Form = "picture"
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All rows of a split, and what was odd about them.

    Attributes:
        what: What was given, in words.
        samples: The rows that are in some part of the split.
        notices: What was left out, or stands in the table and is not there.
        sources: The datasets of ours that these are rows of.
        notes: What is known of a scheme of ours, in sentences.
    """

    what: str
    samples: Sequence[Sample]
    notices: Sequence[Notice] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def is_part(word: str) -> bool:
    """Tell whether the name of a folder or file says which part of a split is in it.

    >>> [word for word in ("Train", "fold_3", "covid", "val", "Test Set", "train-images", "test1") if is_part(word)]
    ['Train', 'fold_3', 'val', 'Test Set', 'train-images']
    """
    words = [each for each in re.split(r"[ _-]+", word.casefold()) if each not in _FILLING]
    return (len(words) == 1 and words[0] in SPLITS) or _FOLD.fullmatch(word) is not None


def protection(split: str) -> int:
    """Say how much a part of a split is worth keeping whole: test most, train least, parts of unknown meaning between.

    >>> sorted(["train", "test", "Val", "fold 2"], key=protection)
    ['train', 'fold 2', 'Val', 'test']
    """
    words = [SPLITS[word] for word in re.split(r"[ _-]+", split.casefold().strip()) if word in SPLITS]
    return _PROTECTED.get(words[0], 1) if len(words) == 1 else 1
