"""The README.md of an export: what it holds, how it is opened, who may use it, and whom to cite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from covid_datasets.exports.exportable import Exportable, Source
from covid_datasets.harmless import code, markdown, visible


def readme(data: Exportable, format: str, module: Any, folder: Path) -> str:
    """Write the README.md; a format that puts something before it has ``front_matter(data, folder)``."""
    front = getattr(module, "front_matter", None)
    lines = "\n".join([*_head(data, format), *_how(module, data), *_columns(data), *_licences(data), *_cite(data)])
    return (front(data, folder) if front else "") + visible(f"{lines}\n")


def _head(data: Exportable, format: str) -> Iterator[str]:
    titles = [source.card.title if source.card else source.id for source in data.sources]
    yield from (f"# {markdown(', '.join(titles) or data.name)}", "")
    for source in data.sources:
        if source.card:
            yield from (source.card.summary, "")
    yield from (f"Exported as {format}. Splits keep patients apart as far as it is known who they are.", "")
    yield from ("| split | rows |", "| --- | --- |")
    yield from (f"| {name} | {split.rows:,} |" for name, split in data.splits.items())
    if data.sources:
        yield from ("", "| taken from | version | config | fingerprint |", "| --- | --- | --- | --- |")
        yield from (
            f"| `{source.id}` | {source.version or 'unknown'} | {source.config or 'unknown'} | "
            f"{source.fingerprint or 'unknown'} |"
            for source in data.sources
        )


def _how(module: Any, data: Exportable) -> Iterator[str]:
    yield from ("", "## How to open it", "", module.HOW.format(name=data.name, split=next(iter(data.splits), "train")))
    yield from ("`manifest.json` lists every file with its size and SHA-256.",)


def _columns(data: Exportable) -> Iterator[str]:
    yield from ("", "## Columns", "", ", ".join(map(code, data.features.names)) + ".")
    if data.label_names:
        yield from ("", "Classes of `label`, by number; a row without one has no label that is known:", "")
        yield from (f"- {number}: {markdown(label)}" for number, label in enumerate(data.label_names))


def _licences(data: Exportable) -> Iterator[str]:
    yield from ("", "## Licence", "")
    if not data.sources:
        yield "The rows do not tell where they come from, so nobody can say what they may be used for."
    yield from (f"- {_licence(source)}" for source in data.sources)


def _licence(source: Source) -> str:
    if source.card is None:
        return f"`{source.id}`: no card states a licence. Its owner knows."
    licence = source.card.licence
    each = " Each image has its own licence, in the column `license`." if licence.per_image else ""
    return (
        f"`{source.id}`: **{licence.spdx or 'no standard licence'}**. {licence.terms}{each} "
        f"Redistribution: {licence.redistribution}; commercial use: {licence.commercial}."
    )


def _cite(data: Exportable) -> Iterator[str]:
    entries = [citation.bibtex() for card in data.cards for citation in card.citations]
    if entries:
        yield from ("", "## Cite", "", "```bibtex", *entries, "```")
