"""What several readers said of one thing, as one answer: adjudicated, by majority, or open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer of several readers.

    Attributes:
        answer: What was decided, ``None`` where it is open.
        by: ``"adjudication"`` or ``"majority"``; empty where it is open.
        torn: Readers who gave several answers that exclude each other: they count for none.
    """

    answer: str | None
    by: str
    torn: tuple[str, ...] = ()


def vote(
    said: Mapping[str, Collection[str]], answers: Collection[str], readers: Sequence[str], adjudicator: str = ""
) -> Vote:
    """Decide between answers of which one alone can be true.

    What the adjudicator says counts; else what more than half of the readers say, those who are silent included.

    Args:
        said: Reader -> all that the reader says, also of other things.
        answers: The answers that exclude each other.
        readers: Who votes; what others say is not asked.
        adjudicator: Who decides where readers differ.

    >>> said = {"A": ["mild"], "B": ["mild", "typical"], "C": ["severe"], "chief": ["severe"]}
    >>> vote(said, ["mild", "severe"], "ABC")
    Vote(answer='mild', by='majority', torn=())
    >>> vote(said, ["mild", "severe"], "ABC", "chief")
    Vote(answer='severe', by='adjudication', torn=())
    >>> vote({"A": ["mild", "severe"], "B": ["mild"]}, ["mild", "severe"], "ABC")
    Vote(answer=None, by='', torn=('A',))
    """
    given = {reader: sorted(set(said.get(reader, ())).intersection(answers)) for reader in (*readers, adjudicator)}
    torn = tuple(reader for reader, found in given.items() if len(found) > 1)
    if len(given[adjudicator]) == 1:
        return Vote(given[adjudicator][0], "adjudication", torn)
    counts = Counter(given[reader][0] for reader in readers if len(given[reader]) == 1)
    winner = next((answer for answer, count in counts.items() if 2 * count > len(readers)), None)
    return Vote(winner, "majority" if winner else "", torn)
