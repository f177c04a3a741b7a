"""The section of a source's page with the figures that papers state of it."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.papers import papers_of
from covid_datasets.harmless import markdown


def stated(card: Card) -> Iterator[str]:
    """List each figure with how it is counted; the command says what comes out."""
    papers = papers_of(card)
    if not papers:
        return
    yield from ("## Figures that papers state", "")
    yield f"`covid-datasets info {card.id} --paper` counts each of them in what you built, and says which reproduce."
    for paper in papers:
        of = f", of `{paper.dataset}`" if paper.dataset else ""
        version = f", version {paper.version}" if paper.version else ""
        yield from ("", f"{markdown(paper.text)}{of}{version}:", "", "| figure | where | stated | counted as |")
        yield "| --- | --- | ---: | --- |"
        for figure in paper.figures:
            counted = f"`{figure.count}`" if figure.count else "not at all: the data cannot tell"
            yield f"| {markdown(figure.what)} | {markdown(figure.where)} | {figure.stated:,.10g} | {counted} |"
        for contradiction in paper.contradictions:
            yield from ("", f"In two ways: {contradiction}")
