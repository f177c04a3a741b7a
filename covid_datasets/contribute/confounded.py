"""Write what `confounding` measured of a source into the catalog, from where its card and its users are warned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from covid_datasets.audits.traits.look import STAGES
from covid_datasets.audits.traits.report import ALL, PIXELS, Confounding, Predicted
from covid_datasets.audits.traits.told import KINDS
from covid_datasets.catalog.cards import names
from covid_datasets.errors import NotThereError, UsageError

LAST = tuple(STAGES)[-1]
"""The form of the pixels of which is told what is left."""

LACKING = 0.05
"""Share of samples that a build may lack whose numbers are published."""


def publish_confounding(found: Confounding, checkout: str | Path) -> Path:
    """Write ``catalogs/confounding/<id>.toml`` of a checkout of this project, and return its path.

    Raises:
        UsageError: It is of several sources, or of a part of one, or nothing could be said.
        NotThereError: There is no such checkout.
    """
    if len(found.datasets) != 1:
        raise UsageError(f"--publish: expected one source, found {len(found.datasets)}: {', '.join(found.datasets)}")
    source = found.datasets[0].partition("@")[0]
    if source not in names():
        raise UsageError(f"--publish: expected a source of the catalog, found {source}")
    catalogs = Path(checkout) / "catalogs"
    if not catalogs.is_dir():
        raise NotThereError(f"{catalogs}: expected a checkout of covid_datasets, found no such folder; name its root")
    if not any(each.trait == ALL and each.auc is not None for each in found.found):
        raise UsageError(f"--publish: expected numbers, found none for {found.datasets[0]}: {found.verdict}")
    if found.lacking > LACKING * found.rows:
        raise UsageError(f"--publish: expected all of {source}, found a build that lacks {found.lacking:,} samples")
    path = catalogs / "confounding" / f"{source}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(_lines(found)) + "\n", encoding="utf-8", newline="\n")
    return path


def _lines(found: Confounding) -> Iterator[str]:
    version = found.datasets[0].partition("@")[2]
    command = f"covid-datasets confounding {found.datasets[0]}"
    command += f" --config {found.configs[0]}" if found.configs[0] != "default" else ""
    yield f"# Measured, and never edited: {command} --publish ."
    yield f"# With scikit-learn {found.version}. What the numbers are: docs/confounding.md."
    yield ""
    facts = {
        "version": version,
        "config": found.configs[0],
        "fingerprint": found.fingerprints[0],
        "command": command,
        "label": found.label,
        "rows": found.rows,
        "groups": found.groups,
        "lacking": found.lacking,
        "pixels": STAGES[LAST],
    }
    yield from (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in facts.items())
    told = [each for each in found.found if each.auc is not None]
    yield from _table("together", [each for each in told if each.trait == ALL])
    yield from _table("remaining", [each for each in told if each.trait == PIXELS and each.kind == f"pixels {LAST}"])
    yield from _table("alone", [each for each in told if each.kind in KINDS and each.kind != "person"])
    yield from _table("person", [each for each in told if each.kind == "person"])


def _table(name: str, rows: Iterable[Predicted]) -> Iterator[str]:
    yield ""
    yield f"{name} = ["
    for each in rows:
        numbers = ", ".join(f"{key} = {getattr(each, key):.3f}" for key in ("auc", "low", "high"))
        yield f'    {{ trait = "{each.trait}", scheme = "{each.scheme}", {numbers} }},'
    yield "]"
