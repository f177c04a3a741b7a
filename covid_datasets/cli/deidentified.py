"""The command that cleans DICOM files of one's own."""

from __future__ import annotations

from argparse import Namespace

from covid_datasets.cli.show import print_json, print_text


def run_deidentify(arguments: Namespace) -> int:
    """Write DICOM images without what says whose they are."""
    from covid_datasets.own.deidentify.folder import deidentify

    done = deidentify(
        arguments.folder,
        arguments.out,
        secret=arguments.secret,
        keep_map=arguments.keep_map,
        keep_burned_in=arguments.keep_burned_in,
    )
    if arguments.json:
        print_json(done.to_json())
        return 0
    for left in done.left_out:
        print_text(f"left out: {left.path}: {left.why}")
    for what, files in done.warnings.items():
        print_text(f"look at {len(files):,} files, {files[0]} among them: {what}")
    report = done.out / "report"
    print_text(f"{done.files:,} images of {done.patients:,} patients in {done.out}; {report} says each change")
    print_text(f"{done.secret} must stay here: its key links all of it to people again. Deleted, nothing does")
    return 0
