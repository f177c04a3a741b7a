"""`Confounding`: what was found, as text, as tables and as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from covid_datasets.audits.traits.look import STAGES
from covid_datasets.audits.traits.told import KINDS
from covid_datasets.catalog.confounded import LIMIT

if TYPE_CHECKING:
    import pyarrow as pa

ALL = "all without a pixel"
PIXELS = "all of the pixels"
TOGETHER = "together"
"""The kind of the row for all traits that are told without a pixel."""
SHOWN, SHOWN_TRAITS = 6, 3
"""Values of a trait that the text shows, and of how many traits."""
NAME, NUMBER = 24, 26
"""Widths of the columns of the text."""
UNEVEN = 0.1
"""How much more often a trait is known of one class than of another, before the text says it."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """How well one trait, or several together, predict the label in one way of splitting.

    Attributes:
        trait: Its name, `ALL`, or `PIXELS`.
        kind: What it belongs to: "file", "record", "equipment", "person", "together", or "pixels stored" and so on.
        scheme: How rows were divided: "5 folds", or the scheme of a split, learned on train and predicted on test.
        auc: Averaged over the classes; ``None`` where nothing can be said, and ``why`` says so.
        low: The lower end of the 95 % interval.
        high: The upper end.
        classes: The AUC of each class against the rest.
        known: The share of rows of which it is known.
        known_of: The same of each class: a trait that is told of one class alone gives it away.
        values: How many different values it has.
        vanishes: Whether it is the same for all pictures once they are decoded, grey and of one size.
    """

    trait: str
    kind: str
    scheme: str
    auc: float | None
    low: float | None
    high: float | None
    classes: Mapping[str, float]
    known: float
    known_of: Mapping[str, float]
    values: int | None
    vanishes: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """How many rows with one value of a trait have one label."""

    trait: str
    value: str
    label: str
    rows: int
    share: float


@dataclass(frozen=True, slots=True)
class Confounding:
    """How well the label can be told without looking at what a picture shows.

    Attributes:
        datasets: What was looked at, "id@version".
        configs: The config of each.
        fingerprints: The fingerprints of these builds.
        label: The column that is predicted, or the task.
        rows: Rows that have a label, and were looked at.
        groups: What no split tears apart, among these rows.
        classes: Rows of each class.
        found: Each trait alone, and all together.
        told: Which values come with which labels, the commonest values of each trait.
        lacking: Samples that the builds should have and lack.
        notes: What was left out, and what cannot be said.
        version: The version of scikit-learn that the numbers were made with.
    """

    datasets: tuple[str, ...]
    configs: tuple[str, ...]
    fingerprints: tuple[str, ...]
    label: str
    rows: int
    groups: int
    classes: Mapping[str, int]
    found: tuple[Predicted, ...]
    told: tuple[Told, ...]
    lacking: int
    notes: tuple[str, ...]
    version: str

    @property
    def summary(self) -> dict[str, Any]:
        """One row to stand beside every result of a model on the same data: what is reached without a pixel."""
        schemes = dict.fromkeys(each.scheme for each in self.found)
        first = next(iter(schemes), None)
        row = self._together(first)
        alone = [each for each in self._alone(first) if each.kind != "person"]
        return {
            "model": f"{ALL}: {', '.join(each.trait for each in alone)}" if alone else ALL,
            "datasets": ", ".join(self.datasets),
            "label": self.label,
            "scheme": first,
            "rows": self.rows,
            "groups": self.groups,
            "auc": row.auc if row else None,
            "low": row.low if row else None,
            "high": row.high if row else None,
            "traits": [each.trait for each in alone],
        }

    @property
    def table(self) -> pa.Table:
        """The traits as an Arrow table, one row for each trait and way of splitting."""
        import pyarrow as pa

        maps = ("classes", "known_of")
        rows = [asdict(each) | {name: list(getattr(each, name).items()) for name in maps} for each in self.found]
        numbers = [(name, pa.float64()) for name in ("auc", "low", "high")]
        schema = pa.schema(
            [(name, pa.string()) for name in ("trait", "kind", "scheme")]
            + numbers
            + [("classes", pa.map_(pa.string(), pa.float64())), ("known", pa.float64())]
            + [("known_of", pa.map_(pa.string(), pa.float64())), ("values", pa.int64()), ("vanishes", pa.bool_())]
            + [("why", pa.string())]
        )
        return pa.Table.from_pylist(rows, schema=schema)

    @property
    def label_table(self) -> pa.Table:
        """The labels against the values of each trait, as an Arrow table."""
        import pyarrow as pa

        names = [(name, pa.string()) for name in ("trait", "value", "label")]
        schema = pa.schema([*names, ("rows", pa.int64()), ("share", pa.float64())])
        return pa.Table.from_pylist([asdict(each) for each in self.told], schema=schema)

    def to_json(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self) | {"summary": self.summary}

    def _repr_html_(self) -> str:
        """Show it in a notebook: the verdict, and the traits that tell most."""
        from covid_datasets.markup import MOST, bullets, named, paragraph, shown, table

        told = sorted((each for each in self.found if each.auc is not None), key=lambda each: -(each.auc or 0.0))
        rows = [(each.trait, each.scheme, _number(each), f"{each.known:.0%}") for each in told]
        what = {"Label": self.label, "Rows": self.rows, "Groups": self.groups, "Builds": ", ".join(self.fingerprints)}
        names = ("trait", "scheme", "AUC (95 % interval)", "known of")
        return shown(
            ", ".join(self.datasets),
            paragraph(self.verdict),
            named(what | dict(self.classes), "What was looked at"),
            table("How well the label is told without looking; 0.5 is guessing", names, rows[:MOST], count=len(rows)),
            bullets(self.notes),
        )

    def __str__(self) -> str:
        """Render the report as text."""
        return "\n".join(self._lines())

    @property
    def verdict(self) -> str:
        """Say in one sentence what the numbers mean."""
        if not self.found:
            return "Nothing was predicted."
        together = [each for each in self.found if each.trait == ALL]
        said = [each for each in together if each.auc is not None]
        if not said:
            return f"How far the label follows these traits: {together[0].why}."
        worst = max(said, key=lambda each: each.auc or 0.0)
        number = f"AUC {_number(worst)}, {worst.scheme}"
        if (worst.low or 0.0) <= 0.5:
            return (
                f"Without a pixel nothing of the label is told, as far as {self.groups:,} groups can show ({number})."
            )
        if (worst.auc or 0.0) < LIMIT:
            return f"Without a pixel a little of the label is told ({number})."
        return (
            f"The label follows where a picture is from: without a pixel it is told ({number}). A model that is as "
            "good as that may have learned nothing else."
        )

    def _together(self, scheme: str | None) -> Predicted | None:
        return next((each for each in self.found if each.trait == ALL and each.scheme == scheme), None)

    def _alone(self, scheme: str | None) -> list[Predicted]:
        return [each for each in self.found if each.scheme == scheme and each.auc is not None and each.kind in KINDS]

    def _lines(self) -> Iterator[str]:
        classes = ", ".join(f"{name} {count:,}" for name, count in self.classes.items())
        groups = f"{self.groups:,} group{'' if self.groups == 1 else 's'}"
        yield f"{', '.join(self.datasets)}, {self.label}: {self.rows:,} rows in {groups} ({classes or 'no labels'})"
        yield self.verdict
        yield from self.notes
        if any(each.auc is not None for each in self.found):
            yield from self._numbers()
        alone = [each for each in self._alone(next((each.scheme for each in self.found), None)) if each.auc]
        strongest = sorted(alone, key=lambda each: -(each.auc or 0.0))
        wanted = ["source", *(each.trait for each in strongest)]
        varied = {each.trait for each in self.found if each.values != 1 or each.known < 1}
        for trait in [each for each in dict.fromkeys(wanted) if each in varied and each in self._told_of][
            :SHOWN_TRAITS
        ]:
            yield from self._values(trait)

    @property
    def _told_of(self) -> set[str]:
        return {each.trait for each in self.told}

    def _numbers(self) -> Iterator[str]:
        schemes = list(dict.fromkeys(each.scheme for each in self.found if each.auc is not None))
        yield ""
        yield "AUC of the label, with its 95 % interval over groups; 0.5 is guessing"
        yield f"{'':<{NAME}}{''.join(f'{scheme:<{NUMBER}}' for scheme in schemes)}".rstrip()
        kinds = {TOGETHER: "several traits together", **KINDS}
        kinds |= {f"pixels {stage}": f"{text}; nothing that is inside" for stage, text in STAGES.items()}
        for kind, what in kinds.items():
            of_kind = [each for each in self.found if each.kind == kind and each.auc is not None]
            if of_kind:
                yield f" {kind}: {what}"
            for trait in dict.fromkeys(each.trait for each in of_kind):
                numbers = {each.scheme: each for each in of_kind if each.trait == trait}
                cells = "".join(f"{_number(numbers.get(scheme)):<{NUMBER}}" for scheme in schemes)
                yield f"  {trait:<{NAME - 2}}{cells}{_gaps(next(iter(numbers.values())))}".rstrip()
        if gone := list(dict.fromkeys(each.trait for each in self.found if each.vanishes and each.auc is not None)):
            yield f" The same for all pictures once they are decoded, grey and of one size: {', '.join(gone)}."

    def _values(self, trait: str) -> Iterator[str]:
        of_trait = [each for each in self.told if each.trait == trait]
        values = list(dict.fromkeys(each.value for each in of_trait))
        yield ""
        yield f"{trait} and label"
        for value in values[:SHOWN]:
            labels = ", ".join(
                f"{each.label} {each.rows:,} ({each.share:.0%})" for each in of_trait if each.value == value
            )
            yield f"  {value[: NAME + NUMBER - 4]:<{NAME + NUMBER - 2}}{labels}"
        if len(values) > SHOWN:
            yield f"  and {len(values) - SHOWN:,} more in label_table"


def _number(each: Predicted | None) -> str:
    if each is None or each.auc is None or each.low is None or each.high is None:
        return "?"
    return f"{each.auc:.3f} ({each.low:.3f} to {each.high:.3f})"


def _gaps(each: Predicted) -> str:
    """Say of which share of rows a trait is known, and of which class it is told more often."""
    if each.known == 1:
        return ""
    low, *_, high = sorted((share, name) for name, share in each.known_of.items())
    if high[0] - low[0] < UNEVEN:
        return f"known of {each.known:.0%}"
    return f"known of {each.known:.0%}: {high[1]} {high[0]:.0%}, {low[1]} {low[0]:.0%}"
