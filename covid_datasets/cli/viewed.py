"""The options that name a view: which window, size, spacing and orientation."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from covid_datasets.cli.words import decimal, whole

if TYPE_CHECKING:
    from covid_datasets.prepare.derived.asked import ViewOptions


def add_view(command: ArgumentParser, *, derive: bool = True) -> None:
    """Add the options of a view; without ``derive`` where a function is an argument of its own."""
    group = command.add_argument_group("a view of the dataset, that is built once")
    group.add_argument("--window", metavar="NAME", nargs="+", help="lung, mediastinum, bone, ...; or LOW HIGH")
    group.add_argument("--image-size", metavar="N", nargs="+", type=whole, help="rows and columns, or a side")
    group.add_argument(
        "--to-spacing", metavar="MM", nargs="+", type=decimal, help="between columns, rows and slices, or one for all"
    )
    group.add_argument("--to-orientation", metavar="CODES", help="where columns, rows and slices lead: LPS, RAS, ...")
    if derive:
        group.add_argument("--derive", metavar="NAME", help="lungs, segmented, infection, cropped; or MODULE:FUNCTION")


def view_of(arguments: Namespace) -> ViewOptions:
    """Return what was typed as the arguments of a view; nothing where none was asked for.

    >>> view_of(Namespace(window=["lung"], image_size=[256], to_spacing=None, to_orientation=None, derive=None))
    {'window': 'lung', 'image_size': 256}
    """
    found: ViewOptions = {}
    if arguments.derive is not None:
        found["derive"] = arguments.derive
    if arguments.window is not None:
        found["window"] = arguments.window[0] if len(arguments.window) == 1 else arguments.window
    if arguments.image_size is not None:
        found["image_size"] = arguments.image_size[0] if len(arguments.image_size) == 1 else arguments.image_size
    if arguments.to_spacing is not None:
        found["to_spacing"] = arguments.to_spacing[0] if len(arguments.to_spacing) == 1 else arguments.to_spacing
    if arguments.to_orientation is not None:
        found["to_orientation"] = arguments.to_orientation
    return found
