"""Rows of a source's tables, put where they belong: to files, to splits, to the rows of another table.

Each function yields a notice for everything odd, or returns the notices beside what it found, so that a builder says
``yield from`` and nothing is lost on the way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from covid_datasets.schema import Notice, RawFiles

Row = Mapping[str, str]


def rows_by(
    rows: Iterable[Row], key: Callable[[Row], str], table: str, *, known: Collection[str] | None = None
) -> tuple[dict[str, list[Row]], list[Notice]]:
    """Group the rows of a table by the file, study or person that they are of, in the order of the table.

    The first row of a group is the one that counts; others are told, with what they say differently. A row without a
    key is dropped and told. To join a second table to a first, say which keys are ``known``: rows of others are told,
    and left out.

    >>> found, notices = rows_by([{"id": "1", "sex": "F"}, {"id": "1", "sex": "M"}], lambda row: row["id"], "data.csv")
    >>> found["1"][0]["sex"], [f"{notice.where}: {notice.what}" for notice in notices]
    ('F', ["1: 2 rows of data.csv, of which the first counts; they differ in sex ('F', 'M')"])
    """
    groups: dict[str, list[Row]] = {}
    notices = []
    for row in rows:
        if not (found := key(row)):
            notices.append(Notice("broken row", table, f"it names nothing that it could be of: {_shown(row)}", True))
        elif known is not None and found not in known:
            what = f"a row of {table} is of nothing that is known, and left out: {_shown(row)}"
            notices.append(Notice("row of nothing known", found, what, dropped=True))
        else:
            groups.setdefault(found, []).append(row)
    for found, group in groups.items():
        if len(group) > 1:
            said = {name: dict.fromkeys(row.get(name, "") for row in group) for name in group[0]}
            differ = [f"{name} ({', '.join(map(repr, cells))})" for name, cells in said.items() if len(cells) > 1]
            what = f"{len(group)} rows of {table}, of which the first counts; they differ in "
            what += ", ".join(differ) or "nothing"
            notices.append(Notice("row listed twice", found, what, count=len(group) - 1))
    return groups, notices


def contradictions(rows: Iterable[Row], key: str, column: str, kind: str) -> Iterator[Notice]:
    """Tell of whoever the rows say two things about that cannot both be true; each row keeps what it says.

    >>> rows = [{"id": "1", "sex": "F"}, {"id": "1", "sex": "M"}, {"id": "2", "sex": "F"}]
    >>> [notice.where for notice in contradictions(rows, "id", "sex", "patient with several sexes")]
    ['1']
    """
    said: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        said[row[key].strip()].add(row[column])
    for who, found in sorted(said.items()):
        if who and len(found) > 1:
            what = f"the rows of one {key} say {', '.join(map(repr, sorted(found)))}; each keeps what it says"
            yield Notice(kind, who, what)


def not_in(table: str, files: Iterable[str], listed: Collection[str], *, kept: str = "") -> Iterator[Notice]:
    """Tell of files that no row lists; ``kept`` says how they stay in the dataset, else they are dropped."""
    for path in sorted(set(files).difference(listed)):
        yield Notice("file not in the table", path, kept or f"{table} does not list it", dropped=not kept)


def ids_of_one(together: Iterable[Collection[str]]) -> dict[str, tuple[str, ...]]:
    """Find ids that are of one person, because a file is listed under several: id -> every id of that person.

    >>> ids_of_one([{"285", "339"}, {"7"}, {"339", "340"}])["285"]
    ('285', '339', '340')
    """
    merged: dict[str, set[str]] = {}
    for ids in together:
        if len(ids) > 1:
            whole = set(ids).union(*(merged.get(one, set()) for one in ids))
            merged |= dict.fromkeys(whole, whole)
    return {one: tuple(sorted(whole)) for one, whole in merged.items()}


def count_by_folder(kind: str, files: Iterable[str], what: str) -> Iterator[Notice]:
    """Tell of files in one notice for each folder, where there are too many to name: how many there are, and ``what``.

    >>> [f"{found.where}: {found.what}" for found in count_by_folder("unused", ["b/2", "a/1", "b/1"], "are not listed")]
    ['a/: 1 files are not listed', 'b/: 2 files are not listed']
    """
    for folder, count in sorted(Counter(path.partition("/")[0] for path in files).items()):
        yield Notice(kind, f"{folder}/", f"{count:,} files {what}", count=count)


def read_splits(
    raw: RawFiles, lists: Mapping[str, str], path_of: Callable[[str, str], str]
) -> tuple[dict[str, str], list[Notice]]:
    """Read the lists of an official split, a name a line: path of each sample -> its split.

    Args:
        raw: The files.
        lists: Path of a list -> the split that it is of.
        path_of: From a list's path and a name in it to the path of the sample.
    """
    splits: dict[str, str] = {}
    notices = []
    for path, split in lists.items():
        if not raw.has(path):
            notices.append(Notice("split list missing", path, f"its samples have no official split ({split})"))
            continue
        for name in filter(None, map(str.strip, raw.text(path).splitlines())):
            sample = path_of(path, name)
            if (before := splits.setdefault(sample, split)) != split:
                notices.append(Notice("listed in two splits", sample, f"{before} is kept, {path} is not"))
    return splits, notices


def _shown(row: Row) -> str:
    return ", ".join(f"{name} {cell.strip()!r}" for name, cell in row.items() if cell.strip())[:200]
