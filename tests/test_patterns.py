"""No regular expression of ours can be kept busy by foreign text."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patterns import bounded, hostile, uses

BOUNDED = {
    "covid_datasets/catalog/ledger.py:compiled",  # forms of the ledger: texts and lines of 1,024 characters
    "covid_datasets/catalog/layout.py:_compiled",  # globs of cards: only names that file systems allow
    "covid_datasets/catalog/layout.py:_rough",  # translated by fnmatch, which never goes back
    "covid_datasets/prepare/quoted.py:patient_of",  # addresses on cards: only URLs of 2,048 characters
    "covid_datasets/fetch/host.py:parsed",  # names of files on hosts: 2,048 characters
    "covid_datasets/read/cases.py:read_cases",  # folders of cases: 1,024 characters
    "builders/covidx.py:read_list",  # forms of file names on the card: 255 characters
    "builders/covidx.py:_place",  # the same, of names that `read_list` let through
    "builders/covidx.py:_record",  # the same
}
PLAIN = {
    "covid_datasets/catalog/checks.py:_check_address",  # compiled only, to see whether it is one
    "covid_datasets/catalog/checks.py:_check_resource",  # a number of hexadecimal digits
    "covid_datasets/catalog/manifest.py:_is_identity",  # the same
    "covid_datasets/fetch/host.py:listed",  # the same
    "covid_datasets/catalog/layout.py:filled",  # a text, escaped
    "covid_datasets/exports/croissant/checker.py:_file",  # a number of hexadecimal digits
    "covid_datasets/exports/croissant/checker.py:_regex",  # compiled only, to see whether it is one
    "covid_datasets/exports/croissant/dataset.py:",  # numbers and points, each once
}
"""Functions that make patterns in which nothing repeats without a bound, or that meet no text."""


@pytest.mark.slow
def test_every_pattern_takes_a_megabyte_of_hostile_text() -> None:
    """Linear takes milliseconds, going back takes hours: the alarm after a minute tells which."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.patterns"], capture_output=True, text=True, cwd=Path(__file__).parents[1],
        env=dict(os.environ), check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["done"], f"killed by {done.stdout.splitlines()[-1:]}\n{done.stderr}"
    assert len(done.stdout.splitlines()) > 80


def test_patterns_that_are_made_are_known() -> None:
    """Whoever writes a new one bounds it and adds it to ``tests.patterns.bounded``, or says why it needs no bound."""
    assert uses()[1] == BOUNDED | PLAIN


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"(?is)\s*(?:<!--.*?-->\s*)*<html\b", "match"),
        (r"(?is)<title[^>]*>(.*?)</title", "search"),
        (r"\s*\+\s*", "search"),
        (r"//(?:www\.)?sirm\.org/.*caso-0*(\d+)\b", "search"),
    ],
)
def test_the_hostile_text_is_hostile(pattern: str, method: str) -> None:
    """The patterns that were here are found: even a hundredth of the text takes far longer than a scan."""
    code = (
        "import re, signal, sys; from tests.patterns import apply, hostile; signal.alarm(2);"
        "[apply(re.compile(sys.argv[1]), sys.argv[2], text) for text in hostile(sys.argv[1], 300_000)]"
    )
    done = subprocess.run([sys.executable, "-c", code, pattern, method], cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == -signal.SIGALRM


def test_samples_match_what_they_are_of() -> None:
    assert any(re.search(r"a+b", text) for text in hostile("a+b", 10))
    assert len(list(bounded())) > 20
