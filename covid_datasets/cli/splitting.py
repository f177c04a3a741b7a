"""Commands about splits, and about what speaks against them: who is in two parts, and what tells the label."""

from __future__ import annotations

from covid_datasets.cli.options import Adder, add_cache_dir, add_config
from covid_datasets.cli.own import add_own_data
from covid_datasets.cli.words import positive


def add_splitting(add: Adder) -> None:
    """Add them."""
    _add_splits(add)
    _add_overlaps(add)
    _add_audit(add)
    _add_confounding(add)


def _add_splits(add: Adder) -> None:
    command = add(
        "splits",
        "show who is in which split, and the leakage audit",
        "covid-datasets splits covid_ct --scheme official",
    )
    command.add_argument(
        "ids", metavar="ID", nargs="+", help="a source as in `build`, or several, for their joint split"
    )
    add_config(command)
    add_cache_dir(command)
    add_own_data(command)
    command.add_argument(
        "--scheme",
        default="patient",
        help='patient (default), "patient(70/15/15, seed=3)", official, fold-1-of-5, leave-cohen-out, '
        '"temporal(2020-04-01)"; official-fold_2: one published; patient@1: an older one',
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print one line per sample; the audit goes to standard error")
    form.add_argument("--nnunet", metavar="FILE", help="write folds of whole groups as splits_final.json of nnU-Net")
    form.add_argument("--propose", action="store_true", help="print the file to publish as catalogs/splits/ID.csv")
    form.add_argument(
        "--publish",
        metavar="DIR",
        help="place all that is named jointly, and add whom no file has to catalogs/splits/ of this checkout",
    )
    command.add_argument(
        "--beside",
        metavar="ID",
        nargs="+",
        default=[],
        help="with --propose: other versions, and sources that may show the same people; what they publish is followed",
    )
    command.add_argument("--fail-on-leak", action="store_true", help="exit with code 5 where the audit finds a leak")


def _add_overlaps(add: Adder) -> None:
    command = add(
        "overlaps",
        "list what built sources have in common, with the evidence",
        "covid-datasets overlaps cohen hannover",
    )
    command.add_argument(
        "ids", metavar="ID", nargs="+", help="two or more built sources, as in `build`; one is enough for --thorough"
    )
    command.add_argument(
        "--thorough",
        action="store_true",
        help="look for cropped, turned, mirrored, inverted copies and panels of figures too, by local features; slow",
    )
    command.add_argument(
        "--publish", metavar="DIR", help="add what is proven to catalogs/identities/ of this checkout of covid_datasets"
    )
    add_cache_dir(command)

    command = add(
        "ledger",
        "audit published splits again from their own lists, or list them",
        "covid-datasets ledger covidx --check",
    )
    command.add_argument("entries", metavar="ENTRY", nargs="*", help="published splits; without one, all are listed")
    command.add_argument("--files", metavar="DIR", help="a checkout that has lists; what it lacks is downloaded")
    command.add_argument("--lists-only", action="store_true", help="leave pictures out, also where they are built here")
    command.add_argument("--check", action="store_true", help="fail (exit code 5) where a published number differs")
    command.add_argument("-o", "--out", metavar="DIR", help="write ENTRY.json there, as catalogs/ledger/ has it")
    add_cache_dir(command)


def _add_audit(add: Adder) -> None:
    command = add(
        "audit",
        "check whether a split, ours or your own, keeps people and pictures apart",
        "covid-datasets audit ./images --split my.csv --fail-on-leak",
    )
    command.add_argument(
        "what",
        metavar="WHAT",
        nargs="+",
        help="a dataset that is built; a folder of pictures, DICOM or NIfTI files; a table of files (CSV, TSV, Excel, "
        "Parquet); a saved Hugging Face dataset; tar files of a WebDataset; a list of files",
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument("--scheme", help="of a dataset that is built: patient (default), official, fold-1-of-5, …")
    which.add_argument("--split", metavar="FILE", help="your own: a table of file names or sha256, and their parts")
    command.add_argument(
        "--column",
        metavar="ROLE=NAME",
        action="append",
        default=[],
        help="which column of the table is file, sha256, split, label or patient, as in split=fold_a",
    )
    command.add_argument(
        "--level",
        choices=("quick", "thorough"),
        help="thorough also finds cropped, turned, mirrored, inverted and framed copies (default up to 2,000 pictures)",
    )
    command.add_argument("--html", metavar="FILE", help="write a page that shows the pairs side by side")
    command.add_argument("--no-leaks", metavar="FILE", help="write the split without what leaks, as CSV")
    command.add_argument("--fail-on-leak", action="store_true", help="exit with code 5 where there is a leak")
    add_config(command)
    add_cache_dir(command)


def _add_confounding(add: Adder) -> None:
    command = add(
        "confounding",
        "measure how far the label is told without looking at what a picture shows",
        "covid-datasets confounding covid_ct",
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="one or more built sources, as in `build`")
    add_config(command)
    command.add_argument("--scheme", help="learn on its train, predict its test (default: 5 folds, and official)")
    command.add_argument(
        "--label", default="label", help="the column to predict, or two classes, as in covid19_vs_rest (default: label)"
    )
    command.add_argument(
        "--where", metavar="COLUMN=VALUE", action="append", default=[], help="only these rows, as in modality=CXR"
    )
    command.add_argument("--traits", metavar="NAME", nargs="+", help="only these, as in container mode size")
    command.add_argument("--no-pixels", action="store_true", help="decode no picture: look at what is stored only")
    command.add_argument("--limit", type=positive, metavar="N", help="look at so many rows at most (default: 10000)")
    command.add_argument("--csv", action="store_true", help="print one line for each trait and way of splitting")
    command.add_argument(
        "--publish", metavar="DIR", help="write it to catalogs/confounding/ of this checkout of covid_datasets"
    )
    add_cache_dir(command)
    add_own_data(command)
