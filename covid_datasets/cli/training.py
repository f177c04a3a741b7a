"""The commands that train and apply reference models: what can be typed."""

from __future__ import annotations

from argparse import ArgumentParser

from covid_datasets.cli.options import Adder, add_cache_dir, add_config, add_data_dir
from covid_datasets.cli.words import positive, whole
from covid_datasets.vocabulary import MASKS


def add_training(add: Adder) -> None:
    """Add both commands."""
    command = add(
        "train",
        "train a reference model on a split of a source",
        "covid-datasets train covid_ct --recipe small --device cpu --out runs/covid_ct-0",
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="a source, with @VERSION for another; several are joined")
    command.add_argument(
        "--out", metavar="RUN", required=True, help="folder of the run; the same command goes on in it"
    )
    command.add_argument(
        "--recipe", metavar="NAME", default="small", help="how, by name, or a .toml file (default: small)"
    )
    command.add_argument(
        "--scheme",
        metavar="SCHEME",
        help="split scheme, as in `splits`, {round} for the number of a round (default: the recipe's)",
    )
    command.add_argument("--seed", type=whole, default=0, help="draws weights, order and changes (default: 0)")
    command.add_argument(
        "--rounds",
        type=positive,
        metavar="N",
        help="train so often, each time with the next seed (default: the recipe's)",
    )
    command.add_argument("--modality", metavar="NAME", help="only rows of this modality, as in CT")
    command.add_argument("--task", metavar="NAME", help="covid19_vs_rest, covid19_vs_no_finding, all, masks")
    command.add_argument(
        "--draws",
        metavar="MASK",
        nargs="+",
        choices=MASKS,
        help="which masks a network draws, as in lung infection (default: the recipe's)",
    )
    command.add_argument("--epochs", type=positive, metavar="N", help="at most so many (default: the recipe's)")
    command.add_argument(
        "--derive", metavar="NAME", help="with other pixels or masks, as in `build`: segmented, reencoded, lungs, …"
    )
    command.add_argument("--weights", metavar="FILE", help="begin with the weights of a local file; none are fetched")
    command.add_argument("--sha256", metavar="HEX", help="what the digest of that file is, or begins with")
    _add_device(command)
    command.add_argument("--deterministic", action="store_true", help="refuse what differs from run to run on a GPU")
    command.add_argument("--compile", action="store_true", help="let torch compile the network, on a GPU")
    add_config(command)
    add_cache_dir(command)
    add_data_dir(command)

    command = add(
        "predict", "score your own images with a model that you trained", "covid-datasets predict RUN ./images"
    )
    command.add_argument("run_folder", metavar="RUN", help="folder of a run that is finished")
    command.add_argument("folder", metavar="FOLDER", help="pictures, in folders or not; nothing is changed")
    command.add_argument("--out", metavar="FILE", help="write the scores to this CSV file (default: print them)")
    _add_device(command)


def _add_device(command: ArgumentParser) -> None:
    command.add_argument(
        "--device", default="auto", help="cpu, cuda, mps, or auto (default), the fastest that is there"
    )
