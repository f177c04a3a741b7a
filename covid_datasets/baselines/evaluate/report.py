"""`Evaluation`: what predictions are worth, and what stands beside them, as text and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from covid_datasets.baselines.evaluate.bootstrap import Interval
from covid_datasets.baselines.evaluate.measures import LABEL, SOURCE


@dataclass(frozen=True, slots=True)
class Beside:
    """A simple model on the same rows and split, against which every result is read.

    ``auc`` is ``None`` where it could not be measured, and ``why`` says why. Of a target ``measures`` has all that is
    measured, and ``gain`` by how much predictions differ from it, for the same people.
    """

    model: str
    auc: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""
    measures: Mapping[str, Interval] = field(default_factory=dict)
    gain: Mapping[str, Interval] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        both = {name: {key: plain(each) for key, each in getattr(self, name).items()} for name in ("measures", "gain")}
        told = {"model": self.model, "auc": self.auc, "low": self.low, "high": self.high, "why": self.why}
        return told | {name: of for name, of in both.items() if of}

    def __str__(self) -> str:
        """Say it as text."""
        if self.measures:
            name, found = next(iter(self.measures.items()))
            gain = self.gain[name]
            return f"{self.model}: {said(name)} {found}; the predictions have {gain.value:+.3f} {_ends(gain)}".rstrip()
        if self.auc is None:
            return f"{self.model}: not measured, because {self.why}"
        return f"{self.model}: AUC {Interval(self.auc, self.low, self.high)}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What predictions are worth.

    Attributes:
        files: The tables of predictions: one, or one for each seed or fold, of which all numbers are means.
        datasets: What they are of.
        config: Its config.
        schemes: The scheme of each table.
        split: Which split was scored.
        fingerprint: Of the build.
        split_hashes: The digest of the split, one for each scheme.
        seeds: With which each model was trained; ``None`` where nobody says.
        classes: The classes; of two the last one is positive.
        rows: Rows that were scored.
        groups: What no split tears apart, among them.
        patients: Patients among them.
        resamples: How often groups were drawn.
        draw_seed: The seed of these draws.
        by_image: Each measure, every image alike.
        by_patient: Each measure, every patient alike.
        each: The measures of each table by itself.
        confusion: Rows by true (lines) and predicted class, of all tables together.
        reliability: Bins of confidence, of all tables together.
        metadata: What everything but the pixels tells.
        texture: What local binary patterns and a logistic regression tell.
        notes: What should be known of these numbers.
        target: What was predicted where that is no label.
    """

    files: tuple[str, ...]
    datasets: tuple[str, ...]
    config: str | None
    schemes: tuple[str, ...]
    split: str
    fingerprint: str
    split_hashes: tuple[str, ...]
    seeds: tuple[int | None, ...]
    classes: tuple[str, ...]
    rows: int
    groups: int
    patients: int
    resamples: int
    draw_seed: int
    by_image: Mapping[str, Interval]
    by_patient: Mapping[str, Interval]
    each: Sequence[Mapping[str, float]]
    confusion: Sequence[Sequence[float]]
    reliability: Sequence[Mapping[str, float]]
    metadata: Beside
    texture: Beside
    notes: tuple[str, ...]
    target: Mapping[str, Any] | None = None

    @property
    def auc(self) -> Interval:
        """The area under the ROC curve, by image; no number where no classes are predicted."""
        return self._by_image("auc")

    @property
    def first(self) -> tuple[str, Interval]:
        """What a model is called good by, by image: the AUC, or of a target quadratic kappa or concordance."""
        return next(iter(self.by_image.items()))

    def _by_image(self, name: str) -> Interval:
        return self.by_image.get(name, Interval(math.nan))

    @property
    def short(self) -> str:
        """Say it in a few words."""
        return f"AUC {self.auc}"

    def worst(self, kind: str) -> tuple[str, Interval] | None:
        """Return the worst label ("label ") or source ("source ") of all, with its share of right answers."""
        of = {name.removeprefix(kind): found for name, found in self.by_image.items() if name.startswith(kind)}
        known = {name: found for name, found in of.items() if not math.isnan(found.value)}
        return min(known.items(), key=lambda item: (item[1].value, item[0])) if known else None

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data; what is no number is ``None``."""
        short: dict[str, Any] = {
            "auc": as_number(self.auc.value),
            "auc_low": self.auc.low,
            "auc_high": self.auc.high,
            "accuracy": as_number(self._by_image("accuracy").value),
            "f1": as_number(self._by_image("f1").value),
            "metadata_auc": self.metadata.auc,
            "texture_auc": self.texture.auc,
            "fingerprint": self.fingerprint,
            "split_hash": self.split_hashes[0] if len(self.split_hashes) == 1 else list(self.split_hashes),
            "seed": self.seeds[0] if len(self.seeds) == 1 else list(self.seeds),
        }
        rest = asdict(self)
        rest |= {"metadata": self.metadata.to_json(), "texture": self.texture.to_json()}
        rest |= {} if self.target else {"target": None}
        for name in ("by_image", "by_patient"):
            rest[name] = {key: plain(found) for key, found in getattr(self, name).items()}
        rest["each"] = [{key: as_number(value) for key, value in one.items()} for one in self.each]
        for kind in (LABEL, SOURCE):
            worst = self.worst(kind)
            rest[f"worst_{kind.strip()}"] = {"name": worst[0], **plain(worst[1])} if worst else None
        return short | {
            name: value for name, value in rest.items() if name not in ("fingerprint", "seeds", "split_hashes")
        }

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, named, shown, table

        rows = [(said(name), str(of), str(self.by_patient.get(name, ""))) for name, of in self.by_image.items()]
        confused = [(name, *(round(n) for n in of)) for name, of in zip(self.classes, self.confusion, strict=False)]
        what = {
            "Data": ", ".join(self.datasets),
            "Split": f"{self.split} of {', '.join(dict.fromkeys(self.schemes))}",
            "Fingerprint": self.fingerprint,
            "Split hash": ", ".join(self.split_hashes),
            "Images": self.rows,
            "Patients": self.patients,
            "Groups": self.groups,
            "Tables": ", ".join(self.files),
        }
        return shown(
            "Evaluation of predictions",
            named(what, "What was scored"),
            table("Measures, with 95 % intervals over groups", ("measure", "by image", "by patient"), rows),
            table("True class against predicted", ("true", *self.classes), confused) if confused else (),
            bullets([str(self.metadata), str(self.texture)], "Beside it"),
            bullets(self.notes, "Notes"),
        )

    def __str__(self) -> str:
        """Say it for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        tables = "" if len(self.files) == 1 else f", mean of {len(self.files)} tables"
        schemes = ", ".join(dict.fromkeys(self.schemes))
        yield f"{', '.join(self.datasets)}, split {self.split} of scheme {schemes}{tables}"
        hashes = ", ".join(f"{each[:16]}…" for each in self.split_hashes)
        yield f"fingerprint {self.fingerprint[:16]}…, split hash {hashes}"
        what = f"{self.target['column']}: {', '.join(self.classes)}" if self.target else ", ".join(self.classes)
        yield f"{self.rows:,} images, {self.patients:,} patients, {self.groups:,} groups; {what}"
        yield f"95 % intervals over groups, {self.resamples:,} draws, seed {self.draw_seed}"
        yield ""
        yield f"{'':<32}{'by image':<26}{'by patient':<26}"
        for name, found in self.by_image.items():
            by_patient = self.by_patient.get(name)
            yield f"{said(name):<32}{found!s:<26}{by_patient or ''!s:<26}".rstrip()
        if len(self.each) > 1:
            values = [one[self.first[0]] for one in self.each]
            yield f"{said(self.first[0])} of each table: {', '.join(f'{value:.3f}' for value in values)}"
        yield ""
        for kind in (LABEL, SOURCE):
            if (worst := self.worst(kind)) and sum(name.startswith(kind) for name in self.by_image) > 1:
                yield f"worst {kind}{worst[0]}: {worst[1]}"
        yield f"beside it, {self.metadata}"
        yield f"beside it, {self.texture}"
        if self.metadata.measures:
            yield f"{'':<32}{'metadata alone':<26}{'predictions less that':<26}"
            for name, found in self.metadata.measures.items():
                yield f"{said(name):<32}{found!s:<26}{self.metadata.gain[name]!s:<26}".rstrip()
        if self.confusion:
            yield "true class against predicted: " + "; ".join(
                f"{name}: "
                + ", ".join(f"{other} {count:,.0f}" for other, count in zip(self.classes, line, strict=True))
                for name, line in zip(self.classes, self.confusion, strict=True)
            )
        yield from (f"note: {each}" for each in self.notes)


def said(name: str) -> str:
    """Call a measure as people do.

    >>> said("auc"), said("label covid19")
    ('AUC', 'found of covid19')
    """
    if name.startswith(LABEL):
        return f"found of {name.removeprefix(LABEL)}"
    if name.startswith(SOURCE):
        return f"right in {name.removeprefix(SOURCE)}"
    known = {"auc": "AUC", "f1": "F1", "ece": "calibration error", "mae": "mean absolute error"}
    return known.get(name, name.replace("auc at", "AUC at"))


def _ends(found: Interval) -> str:
    return f"({found.low:+.3f} to {found.high:+.3f})" if found.low is not None and found.high is not None else ""


def as_number(value: float) -> float | None:
    """Return ``None`` for what is no number, which JSON does not know."""
    return None if math.isnan(value) else value


def plain(found: Interval) -> dict[str, float | None]:
    """Return an interval as plain data."""
    return {"value": as_number(found.value), "low": found.low, "high": found.high, "degenerate": found.degenerate}
