"""`attribution`: what the licences ask of whoever shows or hands on something that was made with a source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from covid_datasets.catalog.card import Card, Citation
from covid_datasets.catalog.cards import Name, info, names_in, split_name
from covid_datasets.catalog.own import is_path
from covid_datasets.disk import refused, whole
from covid_datasets.errors import NotBuiltError, UsageError
from covid_datasets.harmless import visible
from covid_datasets.load.stored import open_table
from covid_datasets.prepare.find import find_build
from covid_datasets.view.page import ALLOWED, spdx

CREDIT = ("sample_id", "license", "source_url", "doi")
"""Columns that give the credit of one image."""
CONTENTS = ("image", "masks", "volume", "volume_masks", "video")
"""Columns that hold files; a card tells what is in one that is no file as it was published."""


HEAD = """\
Attribution of data that was loaded with covid_datasets

Keys in brackets are those of the BibTeX entries."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The text that goes with what was made, and the BibTeX entries of all that is to be cited."""

    text: str
    bibtex: str

    def __str__(self) -> str:
        """Write both, the entries last."""
        return f"{self.text}\n{self.bibtex}"

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from covid_datasets.markup import shown, verbatim

        return shown("Attribution", verbatim(self.text), verbatim(self.bibtex))

    def save(self, path: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write the text to a file, the entries to one with the ending ``.bib`` beside it, and name both.

        Raises:
            UsageError: The file for the text ends with ``.bib`` itself.
            CacheError: A place cannot be written.
        """
        text = Path(path)
        if text.suffix == ".bib":
            raise UsageError(
                f"{text}: expected the name of the text, such as {text.with_suffix('.txt')}: BibTeX goes beside it"
            )
        entries = text.with_suffix(".bib")
        for place, content in ((text, self.text), (entries, self.bibtex)):
            try:
                with whole(place) as private:
                    private.write_text(content, encoding="utf-8", newline="\n")
            except OSError as error:
                raise refused(place, error) from error
        return text, entries


def attribution(
    name: Name | Sequence[Name], config: str | None = None, *, cache_dir: str | os.PathLike[str] | None = None
) -> Attribution:
    """Return the attribution that the licences of one source, or of several, ask for.

    Sources that a source is composed of, or is loaded from, are credited too. Where each image has a licence of its
    own, a finished build is needed to credit the images one by one; without one the text says so. The same names and
    builds give the same text.

    >>> credit = attribution("hannover")
    >>> "https://spdx.org/licenses/CC-BY-3.0.html" in credit.text, credit.bibtex[:5]
    (True, '@misc')
    """
    asked = names_in(name)
    if not asked:
        raise UsageError("name: expected a dataset or a list of them, found an empty list")
    found, own = _with_parts(asked), {*asked, *(info(each).same_as for each in asked)}
    keys, sections = _keys([info(each) for each in found]), list[str]()
    for each in found:
        lines = [*_section(each, keys, config if each in own else None)]
        if each in own and info(each).has_data and info(each).licence.per_image:
            lines += ["", *_credits(each, config, cache_dir)]
        sections.append("\n".join(lines))
    entries = [replace(citation, key=key).bibtex() for citation, key in keys.items()]
    text = visible("\n\n\n".join([HEAD, *sections]), keep="\n\t")
    return Attribution(f"{text}\n", "".join(f"{entry}\n" for entry in entries))


def _keys(cards: Sequence[Card]) -> dict[Citation, str]:
    """Give each citation a key of its own: its own one, with the source's id behind it where another has that."""
    keys = dict[Citation, str]()
    for card in cards:
        for citation in card.citations:
            if citation not in keys:
                keys[citation] = f"{citation.key}-{card.id}" if citation.key in keys.values() else citation.key
    return keys


def _with_parts(asked: Sequence[Name]) -> list[Name]:
    """Add those that a source is loaded from, and its components, whose images are credited among its own."""
    found, waiting = list[Name](), list(asked)
    while waiting:
        if (each := waiting.pop(0)) not in found:
            found.append(each)
            card = info(each)
            waiting = [*([card.same_as] if card.same_as else []), *card.composed_of, *waiting]
    return found


def _section(name: Name, keys: Mapping[Citation, str], config: str | None) -> Iterator[str]:
    card, version = info(name), "" if is_path(name) else split_name(os.fspath(name))[1]
    shown = (card.version(version)[0] if version else card.default_version) if card.versions else ""
    title = f"{card.title} ({card.id}{f', version {shown}' if shown else ''})"
    yield from (title, "=" * len(title))
    if card.homepage:
        yield f"Homepage: {card.homepage}"
    if card.licence.credit:
        yield f"Credit, in the words that its publisher prescribes: {' '.join(card.licence.credit.split())}"
    yield from (f"Cite [{keys[each]}]: {cited(each)}" for each in card.citations)
    yield f"Licence: {spdx(card)}{f', {card.licence.url}' if card.licence.url else ''}"
    yield f"Terms: {' '.join(card.licence.terms.split())}"
    yield f"Redistribution: {ALLOWED[card.licence.redistribution]}; commercial use: {ALLOWED[card.licence.commercial]}"
    if card.same_as:
        yield f"Loaded in its place: {card.same_as.replace('@', ', version ')}"
        return
    if card.composed_of:
        yield f"Made of: {', '.join(card.composed_of)}"
    yield f"Changes: {' '.join(_changes(card, config))}"


def cited(citation: Citation) -> str:
    """Write a citation as one line for people.

    >>> cited(info("hannover").citations[0]).split(" (")[0]
    'Institute for Diagnostic and Interventional Radiology, Hannover Medical School'
    """
    authors = "; ".join(name.strip("{}") for name in citation.author)
    places = (citation.journal, f"https://doi.org/{citation.doi}" if citation.doi else citation.url)
    return ". ".join(filter(None, (f"{authors} ({citation.year})", citation.title, *places)))


def _changes(card: Card, config: str | None) -> Iterator[str]:
    """Say what a build makes of the source, as CC licences ask for."""
    if not card.has_data:
        yield "none, for nothing of it can be loaded."
        return
    name, form = card.config(config)
    yield f"config {name!r}: {form.summary}"
    if form.columns or card.columns:
        yield "Cells are read as values of one type for each column."
        return
    made = "; ".join(f"{column}: {card.features[column]}" for column in CONTENTS if column in card.features)
    but = f", but for what is told of them ({made})" if made else ""
    yield f"Files are kept as they were published, byte for byte{but}."
    yield "Labels and what is said of a sample are put into common words, and its own row is kept beside them."
    yield "What is missing, damaged or there twice is left out, and the report of the build lists it."


def _credits(name: Name, config: str | None, cache_dir: str | os.PathLike[str] | None) -> Iterator[str]:
    """Credit image by image, as the build has it."""
    try:
        built = find_build(name, config, cache_dir=cache_dir)
    except NotBuiltError:
        yield (
            "Each image has a licence of its own. They are not listed, because there is no finished build: make one "
            f"with `covid-datasets build {name}`, then write this text anew."
        )
        return
    rows = sorted(open_table(built).select(list(CREDIT)).to_pylist(), key=lambda row: str(row["sample_id"]))
    yield f"Each of the {len(rows):,} images has a licence of its own (fingerprint of the build: {built.fingerprint}):"
    yield "\t".join(CREDIT)
    for row in rows:
        yield "\t".join(_cell(row[column]) for column in CREDIT)


def _cell(value: str | None) -> str:
    return " ".join(value.split()) or "not stated" if value else "not stated"
