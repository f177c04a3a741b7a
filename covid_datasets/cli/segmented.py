"""The command that finds lungs and infection in scans of one's own."""

from __future__ import annotations

from argparse import Namespace

from covid_datasets.baselines.segment.learned import learned_infection, learned_lungs
from covid_datasets.cli.show import print_json, print_text
from covid_datasets.errors import UsageError


def run_segment(arguments: Namespace) -> int:
    """Write masks, numbers and a report of each CT of a folder."""
    from covid_datasets.own.segment.folder import segment_folder

    if arguments.weights and "learned" not in (arguments.method, arguments.lungs):
        raise UsageError("--weights: expected --lungs learned or --method learned beside it, found neither")
    learned = {}
    if arguments.lungs == "learned":
        learned["lungs"] = learned_lungs(arguments.weights)
    method = learned_infection(arguments.weights) if arguments.method == "learned" else arguments.method
    done = segment_folder(arguments.folder, arguments.out, method=method, **learned)
    if arguments.json:
        print_json(done.to_json())
        return 0
    for scan in done.scans:
        rate = "no result" if scan.infection_rate is None else f"{scan.infection_rate:.1%} infected"
        doubts = f": {scan.reasons[0]}" if scan.reasons else ""
        print_text(f"{scan.file}: {rate}, confidence {scan.confidence:.2f}{doubts}")
    for what in done.left_out:
        print_text(f"left out: {what}")
    print_text(f"{len(done.scans):,} scans in {done.out}; {done.out / 'report.md'} shows them. Not for diagnosis")
    return 0
