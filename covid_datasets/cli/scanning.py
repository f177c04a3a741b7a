"""Commands for scans of one's own: who is on them is taken out, lungs and infection are found in them."""

from __future__ import annotations

from covid_datasets.cli.options import Adder


def add_scanning(add: Adder) -> None:
    """Add them."""
    _add_deidentify(add)
    _add_segment(add)


def _add_deidentify(add: Adder) -> None:
    command = add(
        "deidentify",
        "write your own DICOM images without what says whose they are",
        "covid-datasets deidentify ./scans ./scans-clean",
    )
    command.add_argument("folder", metavar="FOLDER", help="your DICOM files; nothing in it is changed")
    command.add_argument("out", metavar="OUT", help="a new or empty folder, or one that the same command began")
    command.add_argument(
        "--secret", metavar="DIR", help="where the key and all that identifies are kept (default: OUT.secret)"
    )
    command.add_argument("--keep-map", action="store_true", help="keep who has which pseudonym, in the secret folder")
    command.add_argument(
        "--keep-burned-in", action="store_true", help="keep files whose header says that there is text in their pixels"
    )


def _add_segment(add: Adder) -> None:
    command = add(
        "segment",
        "find lungs and infection in your own CT scans",
        "covid-datasets segment ./scans ./masks",
    )
    command.add_argument("folder", metavar="IN", help="NIfTI, MetaImage, DICOM series or pictures; nothing is changed")
    command.add_argument("out", metavar="OUT", help="a new or empty folder, or one that the same command began")
    command.add_argument(
        "--method",
        choices=("threshold", "rag", "learned"),
        default="threshold",
        help="how infection is found (default: threshold)",
    )
    command.add_argument(
        "--lungs",
        choices=("classical", "learned"),
        default="classical",
        help="learned ones keep dense consolidation, and need the extra [baselines] (default: classical)",
    )
    command.add_argument(
        "--weights", metavar="RUN", help="a run that draws masks, or its .safetensors, for what is learned"
    )
