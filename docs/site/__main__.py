"""``python -m docs.site OUT``: make the site, or say what is wrong with it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from covid_datasets.errors import CovidDatasetsError
from docs.site.build import SiteError, build


def main() -> int:
    """Make the site."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("out", type=Path, help="a folder for the site alone; OUT/html is what a server serves")
    parser.add_argument(
        "--notebooks", type=Path, help="executed notebooks (default: those of the checkout, as they are)"
    )
    parser.add_argument("--cache-dir", type=Path, help="where builds are looked for, of which pages tell")
    arguments = parser.parse_args()
    try:
        print(build(arguments.out, notebooks=arguments.notebooks, cache_dir=arguments.cache_dir))
    except (SiteError, CovidDatasetsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
