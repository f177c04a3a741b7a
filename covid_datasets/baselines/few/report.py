"""`FewShot`: what a few labels are worth, by way of using them and how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from covid_datasets.baselines.evaluate.bootstrap import Interval
from covid_datasets.baselines.evaluate.report import plain


@dataclass(frozen=True, slots=True)
class Few:
    """One way of using so many labels.

    Attributes:
        way: Such as "linear probe".
        shots: Images of each class whose label was told.
        auc: Mean over all draws of these images, with a 95 % interval over draws and over groups of people who are
            tested; ``low`` is ``None`` of one draw.
        spread: Standard deviation over the draws: how much it matters who was labelled.
    """

    way: str
    shots: int
    auc: Interval
    spread: float


@dataclass(frozen=True, slots=True)
class FewShot:
    """What a few labels of the tested hospital are worth.

    Attributes:
        run: The folder of the run.
        recipe: What it was trained by.
        dataset: What it was trained and tested on.
        scheme: Its split.
        classes: The positive one last.
        rows: Of test, labelled ones among them.
        draws: How often labelled images were drawn.
        seed: Of the draws; the same one draws the same images for another run of the same split.
        fingerprint: Of the builds.
        split_hash: Digest of the split.
        found: One entry for each way and number of labels.
        notes: What should be known of it.
    """

    run: str
    recipe: str
    dataset: str | list[str]
    scheme: str
    classes: tuple[str, ...]
    rows: int
    draws: int
    seed: int
    fingerprint: str
    split_hash: str
    found: tuple[Few, ...]
    notes: tuple[str, ...]

    def auc(self, way: str, shots: int) -> Interval:
        """Return what one way reaches with so many labels."""
        return next(each.auc for each in self.found if (each.way, each.shots) == (way, shots))

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        found = [asdict(each) | {"auc": plain(each.auc)} for each in self.found]
        return asdict(self) | {"found": found}

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, paragraph, shown, table

        rows = [(each.way, each.shots, str(each.auc), f"{each.spread:.3f}") for each in self.found]
        names = ("way", "labels of each class", "AUC (95 % interval)", "draws differ by")
        about = f"{self.recipe}, {self.rows:,} images of test under {self.scheme}, mean of {self.draws:,} draws."
        return shown(
            f"What a few labels are worth to {self.run}",
            paragraph(about),
            table("Ways of using few labels", names, rows),
            bullets(self.notes, "Notes"),
        )

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.run}: {self.recipe}, {self.rows:,} images of test under {self.scheme}"
        yield f"AUC in the mean of {self.draws} draws of labels, 95 % intervals over draws and groups of people:"
        for shots in dict.fromkeys(each.shots for each in self.found):
            yield f"{shots} of each class"
            for each in self.found:
                if each.shots == shots:
                    yield f"  {each.way:<40}{each.auc}, draws differ by {each.spread:.3f}"
        yield from (f"note: {each}" for each in self.notes)
