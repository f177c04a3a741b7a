"""The fields for responsible AI (RAI 1.0) of a dataset, made of what its cards say and of nothing else.

Where a card says nothing, the text says that, because the tracks that ask for a field do not take an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from covid_datasets.catalog.card import Card, Version
from covid_datasets.schema import COLUMNS

Source = tuple[Card, Version | None]
"""A card, and the version of it that is described."""

PERSONAL = ("sex", "age", "race", "ethnicity", "country", "location", "date", "outcome", "clinical")
"""Columns of `schema.COLUMNS` that tell of the person or of when and where the person was."""
assert set(PERSONAL) <= set(COLUMNS)


def responsible(sources: Sequence[Source]) -> dict[str, Any]:
    """Fill the fields that benchmark tracks ask for.

    >>> from covid_datasets.catalog.cards import info
    >>> card = info("phantom")
    >>> found = responsible([(card, card.version()[1])])
    >>> found["rai:hasSyntheticData"], found["rai:dataUseCases"]
    (True, ['classification', 'lung segmentation', 'infection segmentation'])
    """
    texts: dict[str, str | list[str]] = {
        "rai:dataCollection": "\n".join(_of_each(sources, _collection)),
        "rai:dataCollectionMissingData": "\n".join(_of_each(sources, _missing)),
        "rai:dataAnnotationProtocol": "\n".join(_of_each(sources, _annotation)),
        "rai:dataBiases": _of_each(sources, _biases),
        "rai:dataLimitations": _of_each(sources, _limitations),
        "rai:personalSensitiveInformation": _of_each(sources, _sensitive),
        "rai:dataUseCases": _of_each(sources, _uses),
        "rai:dataSocialImpact": "\n".join(_of_each(sources, _impact)),
    }
    synthetic = any(card.responsible.synthetic for card, _ in sources)
    return {**{key: text for key, text in texts.items() if text}, "rai:hasSyntheticData": synthetic}


def _of_each(sources: Sequence[Source], say: Callable[[Card, Version | None], Iterable[str]]) -> list[str]:
    """Ask each source; where there are several, each answer says whose it is."""
    return [
        f"{card.id}: {text}" if len(sources) > 1 else text
        for card, version in sources
        for text in map(str.strip, say(card, version))
    ]


def _collection(card: Card, version: Version | None) -> Iterator[str]:
    yield card.responsible.collection or card.summary
    if version and version.note:
        yield version.note


def _missing(card: Card, version: Version | None) -> Iterator[str]:
    yield "Unknown is null, never a made-up value."
    if version and version.tolerance:
        yield f"Up to {version.tolerance:.1%} of the pictures may be absent from the copies that are served."


def _annotation(card: Card, _: Version | None) -> Iterator[str]:
    columns = ("label", "severity", "severity_scores", "masks", "volume_masks", "boxes")
    yield from (f"{column}: {card.features[column]}" for column in columns if column in card.features)


def _biases(card: Card, version: Version | None) -> Iterator[str]:
    yield from card.responsible.biases
    if version and version.labels:
        counts = ", ".join(f"{label} {count:,}" for label, count in version.labels.items())
        none = (version.images or 0) - sum(version.labels.values())
        yield f"Labels as published: {counts}{f'; {none:,} images have none' if none > 0 else ''}."
    yield from (
        f"{overlap.source}: {overlap.what} A model that was trained there has seen them."
        for overlap in card.overlaps
        if not overlap.is_none
    )
    if not (card.responsible.biases or card.overlaps or (version and version.labels)):
        yield "The catalog knows of no study of its biases, which does not say that it has none."


def _limitations(card: Card, _: Version | None) -> Iterator[str]:
    yield from filter(None, (card.patients.warning, card.patients.consequence))
    if card.official_split and card.official_split.warning:
        yield f"Official split: {card.official_split.warning}"
    for defect in card.defects:
        flag = f" Affected rows carry the flag {defect.flag}." if defect.flag else ""
        yield f"{defect.id}: {defect.what.strip()}{flag} Evidence: {defect.evidence.strip()}"
    if not (card.defects or card.patients.warning or card.patients.consequence):
        yield "The catalog knows of no defect, which does not say that there is none."


def _sensitive(card: Card, _: Version | None) -> Iterator[str]:
    yield from card.responsible.sensitive
    if card.responsible.synthetic:
        yield "None: its samples were made by a program and show nobody."
    elif card.columns and card.patients.known == "none":
        yield f"None: {card.patients.how}"
    elif card.columns:
        yield f"Rows tell of people. {card.patients.how}"
    else:
        yield f"Medical pictures of people ({', '.join(card.modalities) or 'modality not said'}). {card.patients.how}"
        yield f"Columns that tell of a person, null where the source does not state them: {', '.join(PERSONAL)}."


def _uses(card: Card, _: Version | None) -> Iterator[str]:
    yield from (use for use in map(str.strip, card.task.split(",")) if use)


def _impact(card: Card, _: Version | None) -> Iterator[str]:
    if card.responsible.impact:
        yield card.responsible.impact
        return
    yield "Its publisher states nothing about social impact."
    if any(not overlap.is_none for overlap in card.overlaps):
        yield "It shares people or pictures with other sources: a test on both overstates what a model can do."
    if card.patients.consequence:
        yield card.patients.consequence
