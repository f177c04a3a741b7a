"""``python -m covid_datasets`` is ``covid-datasets``."""

import sys

from covid_datasets.cli import main

if __name__ == "__main__":
    sys.exit(main())
