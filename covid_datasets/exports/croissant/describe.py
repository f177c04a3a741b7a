"""`croissant`: the description of a source, and of a build of it where there is one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from covid_datasets.catalog.card import Choice
from covid_datasets.catalog.cards import Name, choose, load_card, split_name
from covid_datasets.catalog.own import is_path
from covid_datasets.catalog.published import SPLITS
from covid_datasets.catalog.taxonomy import label_names
from covid_datasets.disk import refused, whole
from covid_datasets.errors import NotBuiltError, UnknownVersionError, did_you_mean
from covid_datasets.exports.croissant.dataset import Described, document
from covid_datasets.exports.croissant.files import file_set, raw_files
from covid_datasets.exports.croissant.records import labels_set, splits_set
from covid_datasets.prepare.find import find_build
from covid_datasets.prepare.result import Built
from covid_datasets.splits.assign import TABLE_SPLIT


def croissant(
    name: Name, config: str | None = None, *, cache_dir: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Describe a source as MLCommons Croissant 1.1 with its fields for responsible AI, as JSON-LD.

    The files are those that its publisher serves. Where a build of it is finished, its counts, splits and fingerprint
    are told as well. What `covid_datasets.export` writes has a description of its own, through which records load.

    >>> croissant("cohen")["version"]
    '2020.6.22'

    Args:
        name: A source, as in ``load_dataset``; data of one's own has to be built.
        config: One of its configs; the first one without it.
        cache_dir: Where builds are looked for.
    """
    if not is_path(name) and not load_card(split_name(os.fspath(name))[0]).has_data:
        return document(_without_data(os.fspath(name), config))
    choice = choose(name, config)
    try:
        built = find_build(name, config, cache_dir=cache_dir)
    except NotBuiltError:
        if choice.card.own_copy:  # nothing is known of it before it was read
            raise
        built = None
    table = bool(choice.columns)
    splits = list(built.splits) if built else [TABLE_SPLIT] if table else list(SPLITS)
    labels = dict(built.labels) if built else dict(choice.state.labels)
    sets = [splits_set(splits, built.splits if built else None)]
    if not table:
        sets.append(labels_set(label_names(), labels))
    return document(
        Described(
            name=choice.card.id,
            version=choice.version,
            sources=((choice.card, choice.state),),
            distribution=raw_files(choice),
            record_sets=sets,
            fingerprint=built.fingerprint if built else "",
            counts=_counts(choice, built),
        )
    )


def _counts(choice: Choice, built: Built | None) -> str:
    if built is None:
        images, patients = choice.state.images, choice.state.patients
        what = "rows" if choice.columns else "images"
        of = f" of {patients:,} known patients" if patients else ""
        return f"As published: {images:,} {what}{of}." if images else ""
    of = f" of {built.people}" if built.people else ""
    lost = f"; {built.dropped:,} rows of the source were dropped" if built.dropped else ""
    incomplete = " Incomplete: files of the source were missing." if built.incomplete else ""
    return f"As built (config {built.config}): {built.rows:,} rows{of}{lost}.{incomplete}"


def _without_data(name: str, config: str | None) -> Described:
    """Describe a source of which nothing can be loaded, or which is another one under another name."""
    card_id, version = split_name(name)
    card = load_card(card_id)
    if version and version not in card.versions:
        raise UnknownVersionError(
            f"{card_id} has no version {version!r}; it has: {', '.join(card.versions) or 'none'}"
            f"{did_you_mean(version, card.versions)}"
        )
    if config:
        card.config(config)  # an error of ours where there is no such one
    chosen = version or card.default_version
    state = card.versions.get(chosen)
    if card.same_as:
        what = f"The same samples as {card.same_as}, whose description names the files."
    else:
        what = " ".join((card.why_unavailable, *card.access.steps))
    return Described(
        name=card.id,
        version=chosen or "unknown",
        sources=((card, state),),
        distribution=[file_set("files", ["*"], what)],
        record_sets=[labels_set(label_names(), dict(state.labels) if state else None)],
    )


def as_text(description: dict[str, Any]) -> str:
    """Write a description as the text of its file.

    >>> as_text({"name": "x"}).splitlines()
    ['{', '  "name": "x"', '}']
    """
    return json.dumps(description, indent=2, ensure_ascii=False) + "\n"


def save(description: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a description to a file, whole or not at all."""
    try:
        with whole(Path(path)) as private:
            private.write_text(as_text(description), encoding="utf-8", newline="\n")
    except OSError as error:
        raise refused(Path(path), error) from error
