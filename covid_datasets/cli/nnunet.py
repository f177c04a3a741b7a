"""`covid-datasets splits --nnunet`: folds of whole groups for nnU-Net."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from covid_datasets.cli.show import print_json, print_text
from covid_datasets.disk import write_json
from covid_datasets.exports.nnunet import nnunet_splits


def write_nnunet(arguments: Namespace, name: Any, place: Mapping[str, Any]) -> int:
    """Write them, and say how many there are."""
    folds = nnunet_splits(name, arguments.scheme, **place)
    write_json(Path(arguments.nnunet), folds)
    cases = len({case for fold in folds for case in fold["val"]})
    if arguments.json:
        print_json({"file": arguments.nnunet, "folds": len(folds), "cases": cases})
    else:
        print_text(f"{arguments.nnunet}: {len(folds)} folds of {cases:,} cases; test is in none of them")
    return 0
