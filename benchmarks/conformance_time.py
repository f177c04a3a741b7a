"""How long the conformance suite takes for each source, in seconds of one core: ``pytest --durations`` summed by source.

What is shared by several sources, such as the import of everything, counts for the first of them.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITE = ("tests/test_conformance.py", "tests/conformance")
LINE = re.compile(r"([0-9.]+)s (?:call|setup|teardown) +\S+?::(\w+)(?:\[([a-z0-9_]+)[-\]])?")


def main() -> int:
    """Run the suite once on one core and print a line for each source, the slowest first."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--source", help="only this one")
    parser.add_argument("--tests", action="store_true", help="the slowest tests as well")
    arguments = parser.parse_args()
    chosen = ["-k", f"[{arguments.source}"] if arguments.source else []
    command = [sys.executable, "-m", "pytest", *SUITE, "-q", "-p", "no:cacheprovider", "--durations=0", "-vv", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-4000:], file=sys.stderr)
        return done.returncode
    by_source: dict[str, float] = defaultdict(float)
    by_test: dict[str, float] = defaultdict(float)
    for seconds, test, source in LINE.findall(done.stdout):
        by_source[source or "(all together)"] += float(seconds)
        by_test[test] += float(seconds)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    ranked = dict(sorted(by_source.items(), key=lambda item: -item[1]))
    print(json.dumps({"wall": ranked, "processor": round(spent.ru_utime + spent.ru_stime, 1)}, indent=1))
    if arguments.tests:
        print(json.dumps(dict(sorted(by_test.items(), key=lambda item: -item[1])[:15]), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
