"""What folders and cells of one's own say -> classes of the taxonomy; what is not known is told once a spelling."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from covid_datasets.catalog.taxonomy import UnknownFindingError, classify
from covid_datasets.errors import UsageError
from covid_datasets.schema import Notice


class Findings:
    """Maps spellings to classes: first as their owner says, then as the taxonomy knows them.

    >>> findings = Findings({"pos": "covid19"})
    >>> findings.label("POS"), findings.label("Normal"), findings.label("ward 7")
    ('covid19', 'no_finding', None)
    >>> [notice.where for notice in findings.notices()]
    ['ward 7']
    """

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = {_folded(said): label for said, label in given.items()}
        self._unused = {_folded(said): said for said in given}
        self._unknown: Counter[str] = Counter()
        self._spellings: dict[str, set[str]] = defaultdict(set)

    def knows(self, said: str) -> bool:
        """Tell whether a text names a finding."""
        if _folded(said) in self._given:
            return True
        try:
            return classify(said) is not None
        except UnknownFindingError:
            return False

    def label(self, said: str | None) -> str | None:
        """Return the class of a spelling, ``None`` where it is empty, says "not labelled", or is not known."""
        if not said:
            return None
        folded = _folded(said)
        self._spellings[folded].add(said)
        if folded in self._given:
            self._unused.pop(folded, None)
            return self._given[folded]
        try:
            return classify(said)
        except UnknownFindingError:
            self._unknown[said] += 1
            return None

    def notices(self) -> Iterator[Notice]:
        """Tell of spellings that nobody knows, of those that differ in case only, and of mappings of nothing.

        Raises:
            UsageError: No spelling that was given is among those that were found.
        """
        if self._unused and len(self._unused) == len(self._given):
            found = ", ".join(sorted({each for spellings in self._spellings.values() for each in spellings})[:20])
            raise UsageError(
                f"findings: expected what folders or cells say ({found or 'nothing'}), "
                f"found {', '.join(map(repr, self._unused.values()))}"
            )
        for said in self._unused.values():
            yield Notice("finding that nothing says", said, "given in findings=, and no folder or cell says it")
        for said, count in sorted(self._unknown.items()):
            what = (
                f"the taxonomy does not know it: {count:,} without a label; findings={{{said!r}: 'covid19'}} gives one"
            )
            yield Notice("unknown finding", said, what, count=count)
        for spellings in self._spellings.values():
            if len(spellings) > 1:
                shown = ", ".join(map(repr, sorted(spellings)))
                yield Notice("spelled in several ways", min(spellings), f"{shown} are taken as one finding")


def _folded(said: str) -> str:
    return " ".join(said.split()).casefold()
