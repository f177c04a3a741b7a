"""What can be typed about predictions: their score, and what a model looked at."""

from __future__ import annotations

from pathlib import Path

from covid_datasets.cli.options import Adder, add_cache_dir, add_config
from covid_datasets.cli.own import add_own_data
from covid_datasets.cli.words import positive, whole


def add_scoring(add: Adder) -> None:
    """Add it."""
    command = add(
        "evaluate",
        "score predictions of a split, with intervals by patient and what simple models reach beside",
        "covid-datasets evaluate RUN --json",
    )
    command.add_argument(
        "predictions",
        metavar="RUN",
        nargs="+",
        help="the folder of a run, or a CSV with sample_id and p_<class> for each class (or value, or risk, see "
        "--recipe); of several the mean is taken",
    )
    command.add_argument(
        "--dataset", metavar="ID", nargs="+", dest="ids", default=[], help="what a CSV is of; a run says it itself"
    )
    add_config(command)
    command.add_argument("--scheme", help="split scheme, as in `splits` (default: the run's, else patient)")
    command.add_argument(
        "--recipe", metavar="NAME", help="whose target a CSV predicts, as severity-mosmed; a run says it itself"
    )
    command.add_argument("--split", default="test", help="which split is scored (default: test)")
    command.add_argument(
        "--where", metavar="COLUMN=VALUE", action="append", default=[], help="only these rows, as in modality=CT"
    )
    command.add_argument("--against", metavar="RUN", nargs="+", help="also say what these predictions lack or gain")
    command.add_argument(
        "--on",
        metavar="NAME",
        help="score runs anew on other pixels, as in `build --derive`, and hold that against them: reencoded",
    )
    command.add_argument(
        "--alone", action="store_true", help="leave out the rows of metadata and of texture that stand beside"
    )
    command.add_argument("--seed", type=whole, default=0, help="of the draws for the intervals (default: 0)")
    add_cache_dir(command)
    add_own_data(command)

    command = add(
        "explain",
        "measure how much of what a trained model looks at lies in lungs, lesions and zones",
        "covid-datasets explain RUN",
    )
    command.add_argument("run_folder", metavar="RUN", help="folder of a run that is finished")
    command.add_argument("--split", default="test", choices=("test", "validation"), help="whose images (default: test)")
    command.add_argument("--limit", type=positive, default=200, metavar="N", help="so many images (default: 200)")
    command.add_argument("--seed", type=whole, default=0, help="of the draws for the intervals (default: 0)")
    command.add_argument(
        "--device", default="auto", help="cpu, cuda, mps, or auto (default), the fastest that is there"
    )
    command.add_argument(
        "--derive",
        metavar="NAME",
        help="how masks are made that nobody published (default: infection, where there is none)",
    )
    add_cache_dir(command)

    command = add(
        "features",
        "measure what a model on features with a name rests on: infection rate, zones, histogram, texture",
        "covid-datasets features covid_ct --scheme patient",
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="one or more built sources, as in `build`")
    add_config(command)
    command.add_argument("--scheme", default="patient", help="split scheme, as in `splits` (default: patient)")
    command.add_argument(
        "--split", default="test", choices=("test", "validation"), help="what is tested (default: test)"
    )
    command.add_argument(
        "--task",
        default="covid19_vs_rest",
        metavar="NAME",
        help="covid19_vs_rest, covid19_vs_no_finding, or all classes",
    )
    command.add_argument(
        "--where", metavar="COLUMN=VALUE", action="append", default=[], help="only these rows, as in modality=CT"
    )
    command.add_argument("--table", metavar="FILE", type=Path, help="also write the features of every picture as CSV")
    command.add_argument("--seed", type=whole, default=0, help="of the shuffles and draws (default: 0)")
    add_cache_dir(command)

    command = add(
        "few",
        "measure what a few labels of an unseen hospital are worth to a trained model",
        "covid-datasets few RUN --shots 1 5 10",
    )
    command.add_argument("run_folder", metavar="RUN", help="folder of a run, best trained with --scheme leave-ID-out")
    command.add_argument(
        "--shots",
        type=positive,
        nargs="+",
        default=[1, 5, 10],
        metavar="N",
        help="labels of each class (default: 1 5 10)",
    )
    command.add_argument(
        "--draws", type=positive, default=10, metavar="N", help="how often they are drawn (default: 10)"
    )
    command.add_argument(
        "--steps", type=whole, default=30, metavar="N", help="steps of fine-tuning, 0 for none (default: 30)"
    )
    command.add_argument("--seed", type=whole, default=0, help="of the draws (default: 0)")
    command.add_argument(
        "--device", default="auto", help="cpu, cuda, mps, or auto (default), the fastest that is there"
    )
    add_cache_dir(command)
