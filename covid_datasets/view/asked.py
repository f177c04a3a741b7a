"""The section of a source's page with the questions that people asked about it."""

from __future__ import annotations

from collections.abc import Iterator

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.questions import questions_of
from covid_datasets.harmless import markdown


def asked(card: Card) -> Iterator[str]:
    """Give each question with its answer, and where it was asked."""
    questions = questions_of(card)
    if not questions:
        return
    yield "## Questions people asked"
    for question in questions:
        where = ", ".join(markdown(place) for place in question.where)
        yield from ("", f"**{markdown(question.asked)}** {' '.join(question.answer.split())} Asked in {where}.")
