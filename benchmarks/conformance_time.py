"""How long the conformance suite takes for each source, in seconds of one core: this process and those that it starts.

What several sources share, such as the import of everything, counts for the first of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Generator

import pytest

SUITE = ("tests/test_conformance.py", "tests/conformance")


class Stopwatch:
    """Sums up the processor's time by source and by test."""

    def __init__(self) -> None:
        self.by_source: dict[str, float] = defaultdict(float)
        self.by_test: dict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Measure one test with its fixtures."""
        before = sum(os.times()[:4])
        outcome = yield
        spent = sum(os.times()[:4]) - before
        source = re.search(r"\[([a-z0-9_]+)", item.name)
        self.by_source[source[1] if source else "(all together)"] += spent
        self.by_test[item.name.partition("[")[0]] += spent
        return outcome


def main() -> int:
    """Run the suite once and print the seconds of each source, the slowest first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--source", help="only this one")
    parser.add_argument("--tests", action="store_true", help="the slowest tests as well")
    arguments = parser.parse_args()
    chosen = ["-k", f"[{arguments.source}"] if arguments.source else []
    watch = Stopwatch()
    code = pytest.main([*SUITE, "-q", "-p", "no:cacheprovider", *chosen], plugins=[watch])
    print(json.dumps(_ranked(watch.by_source), indent=1))
    if arguments.tests:
        print(json.dumps(dict([*_ranked(watch.by_test).items()][:15]), indent=1))
    return int(code)


def _ranked(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(spent, 2) for name, spent in sorted(seconds.items(), key=lambda item: -item[1])}


if __name__ == "__main__":
    sys.exit(main())
