"""Does a split keep people apart? Every kind of evidence is checked against it, pair by pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from covid_datasets.catalog.taxonomy import agree
from covid_datasets.splits.groups import Kind, Link, components

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one kind of evidence says: groups and rows that lie in more than one split."""

    kind: Kind
    groups: int
    straddling: int
    leaking_rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The audit of one split scheme; ``str()`` is what a person reads."""

    dataset: str
    scheme: str
    rows: dict[str, int]
    findings: tuple[Evidence, ...]
    contradictions: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What else a user should know: unknown patients, classes that are not in every split, rows in none."""

    @property
    def leaks(self) -> bool:
        """Tell whether anything lies in two splits."""
        return any(finding.straddling for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self) | {"leaks": self.leaks}

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> AuditReport:
        """Take it back from what `to_json` returned."""
        findings = (Evidence(**{**each, "examples": tuple(each["examples"])}) for each in table["findings"])
        told = tuple(table["contradictions"]), tuple(table.get("notes", ()))
        return cls(table["dataset"], table["scheme"], table["rows"], tuple(findings), *told)

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import bullets, paragraph, shown, table

        found = [(each.kind, each.groups, each.straddling, each.leaking_rows) for each in self.findings]
        return shown(
            f"{self.dataset}, scheme {self.scheme}",
            paragraph("It leaks." if self.leaks else "No leak was found.", warns=self.leaks),
            table("Splits", ("split", "rows"), list(self.rows.items()), bars=list(self.rows.values())),
            table("Evidence", ("what binds rows", "groups", "in several splits", "rows of these"), found),
            bullets([example for each in self.findings for example in each.examples], "What lies in several splits"),
            bullets(self.contradictions, "One picture, two labels"),
            bullets(self.notes),
        )

    def __str__(self) -> str:
        """Render the audit as text."""
        sizes = ", ".join(f"{split} {count}" for split, count in self.rows.items())
        lines = [f"{self.dataset}, scheme {self.scheme!r} ({sizes}): {'LEAKS' if self.leaks else 'no leak found'}"]
        for finding in self.findings:
            lines.append(
                f"  {finding.kind:<15}{finding.straddling:>4} of {finding.groups} groups straddle splits"
                f" ({finding.leaking_rows} rows)"
            )
            lines += [f"      {example}" for example in finding.examples]
        lines += [f"  contradictory labels: {text}" for text in self.contradictions]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


def audit_links(
    dataset: str,
    scheme: str,
    splits: Sequence[str | None],
    names: Sequence[str],
    labels: Sequence[str | None],
    links: Iterable[Link],
    notes: Sequence[str] = (),
) -> AuditReport:
    """Check a split, given per row, against the evidence that rows belong together; ``notes`` are handed on."""
    by_kind: dict[Kind, list[Link]] = {
        "patient": [],
        "tie": [],
        "same bytes": [],
        "same pixels": [],
        "near-duplicate": [],
        "resemblance": [],
    }
    for link in links:
        by_kind[link.kind].append(link)
    sizes: dict[str, int] = {}
    for split in splits:
        if split is not None:
            sizes[split] = sizes.get(split, 0) + 1
    findings = tuple(_weigh(kind, found, splits, names) for kind, found in by_kind.items())
    told = _contradictions(by_kind, names, labels)
    return AuditReport(dataset, scheme, dict(sorted(sizes.items())), findings, told, tuple(notes))


def _contradictions(
    by_kind: Mapping[Kind, Sequence[Link]], names: Sequence[str], labels: Sequence[str | None]
) -> tuple[str, ...]:
    """Describe pairs of rows that show one picture and whose labels cannot both be true, each pair once."""
    told: dict[tuple[int, int], str] = {}
    pictures: tuple[Kind, ...] = ("same bytes", "same pixels", "near-duplicate")
    for kind in pictures:
        for link in by_kind[kind]:
            first, second = labels[link.first], labels[link.second]
            if first is not None and second is not None and not agree(first, second):
                text = f"{names[link.first]} ({first}) and {names[link.second]} ({second}): {kind}"
                told.setdefault((link.first, link.second), text)
    return tuple(told.values())


def _weigh(kind: Kind, links: list[Link], splits: Sequence[str | None], names: Sequence[str]) -> Evidence:
    groups = components(len(splits), links) if links else []
    members: dict[int, list[int]] = {}
    for row in sorted({row for link in links for row in (link.first, link.second)}):
        members.setdefault(groups[row], []).append(row)
    keys = {link.first: link.key for link in reversed(links)}
    straddling = [
        rows for rows in members.values() if len({splits[row] for row in rows if splits[row] is not None}) > 1
    ]
    examples = tuple(_example(rows, splits, names, keys) for rows in straddling[:SHOWN])
    return Evidence(kind, len(members), len(straddling), sum(map(len, straddling)), examples)


def _example(rows: list[int], splits: Sequence[str | None], names: Sequence[str], keys: dict[int, str]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        split = splits[row] or "none"
        counts[split] = counts.get(split, 0) + 1
    spread = ", ".join(f"{split} {count}" for split, count in sorted(counts.items()))
    return f"{keys.get(rows[0], '')}: {spread} ({names[rows[0]]}, …)"
