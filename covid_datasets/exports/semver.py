"""Versions of sources in the only form that TensorFlow Datasets reads: three numbers."""

from __future__ import annotations

import re

from covid_datasets.catalog.card import Card

UNKNOWN = "0.0.0"
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NUMBERED = re.compile(r"(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?([A-Z]?)")


def semver(version: str) -> str:
    """Write a version as three numbers: a date, or numbers with a letter; all zero where it is neither.

    >>> [semver(each) for each in ("2020-04-28", "9A", "1.0", "2", "as-saved", "")]
    ['2020.4.28', '9.1.0', '1.0.0', '2.0.0', '0.0.0', '0.0.0']
    """
    if found := _DATE.fullmatch(version):
        return ".".join(str(int(part)) for part in found.groups())
    if found := _NUMBERED.fullmatch(version):
        numbers = [int(part) for part in found.groups()[:3] if part]
        if found[4]:
            numbers.append(ord(found[4]) - ord("A") + 1)
        if len(numbers) <= 3:
            return ".".join(map(str, [*numbers, 0, 0][:3]))
    return UNKNOWN


def semvers(card: Card) -> dict[str, str]:
    """List the versions of a source as three numbers, with our own spelling; the default one first.

    Those that are neither dates nor numbers are counted: ``0.0.1``, ``0.0.2``.

    >>> from covid_datasets import info
    >>> semvers(info("cohen"))
    {'2020.6.22': '2020-06-22', '2020.3.25': '2020-03-25', '0.0.1': '6a42423'}
    """
    ours = sorted(card.versions, key=lambda version: version != card.default_version)
    named = [version for version in card.versions if semver(version) == UNKNOWN]  # counted apart: no date moves them
    return {f"0.0.{named.index(version) + 1}" if version in named else semver(version): version for version in ours}
