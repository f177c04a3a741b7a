"""No group in two splits: asserted where a split is made, and again where one is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from covid_datasets.errors import LeakingSplitError

_SHOWN = 5


def check_disjoint(
    what: str,
    splits: Sequence[str | None],
    groups: Sequence[str],
    samples: Callable[[], Sequence[str]],
    done: str = "nothing is loaded",
) -> None:
    """Refuse a split, given per row with the group of each, in which a group lies in several parts.

    Rows without a split are in no part. ``samples`` names the rows, and is asked only where there is something to say.

    >>> check_disjoint("s", ["train", "train", None], ["a", "a", "a"], list)
    >>> check_disjoint("s", ["train", "test"], ["a", "a"], lambda: ["a/1.png", "a/2.png"])
    Traceback (most recent call last):
        ...
    covid_datasets.errors.LeakingSplitError: s: expected each group in one split, found 1 that straddles, so nothing is loaded: group a (a/1.png in train, a/2.png in test)

    Raises:
        LeakingSplitError: A group straddles; the text names it, and a row of it in each part.
    """  # noqa: E501
    pairs = dict.fromkeys(zip(groups, splits, strict=True))
    parts = [group for group, split in pairs if split is not None]
    if len(parts) == len(set(parts)):
        return
    first: dict[str, dict[str, str]] = {}
    for group, split, sample in zip(groups, splits, samples(), strict=True):
        if split is not None:
            first.setdefault(group, {}).setdefault(split, sample)
    torn = {group: rows for group, rows in first.items() if len(rows) > 1}
    shown = [
        f"group {group} ({', '.join(f'{sample} in {split}' for split, sample in rows.items())})"
        for group, rows in list(torn.items())[:_SHOWN]
    ]
    more = f"; and {len(torn) - _SHOWN:,} more" if len(torn) > _SHOWN else ""
    raise LeakingSplitError(
        f"{what}: expected each group in one split, found {len(torn):,} that straddle{'s' * (len(torn) == 1)}, "
        f"so {done}: {'; '.join(shown)}{more}"
    )
