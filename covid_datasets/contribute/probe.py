"""Look at a source before anybody writes a line for it: what a machine can know of a URL, a folder or an archive.

Files, tables, pictures and headers are summed up; nothing is guessed of what only people can know, such as who the
patient is, what a finding means or what the licence lets its users do.
"""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from covid_datasets.catalog.layout import is_litter
from covid_datasets.errors import CovidDatasetsError, NotThereError, UsageError
from covid_datasets.extras import need
from covid_datasets.fetch.asset import Asset
from covid_datasets.fetch.cached import fetch
from covid_datasets.fetch.transfer import Transfer
from covid_datasets.harmless import markdown
from covid_datasets.raw.archives import is_archive
from covid_datasets.raw.kinds.file import FileMount
from covid_datasets.raw.mounts import TreeMount
from covid_datasets.raw.tree import RawTree
from covid_datasets.read.tables import read_csv, read_xlsx
from covid_datasets.read.volumes import META, read_header
from covid_datasets.settings import Settings

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
VOLUMES = (".nii", ".nii.gz", *META)
DICOM = (".dcm",)
TABLES = (".csv", ".tsv", ".xlsx")
LOOKED_AT = 200
"""So many pictures, and so many headers, are opened: evenly spread ones, where there are more."""
COMMON = 5
"""So many of the values of a column are shown."""
GITHUB = re.compile(r"https://github\.com/([^/]+)/([^/]+)/archive/([0-9a-f]{40})\.zip")
_TAGS = ("Modality", "SOPClassUID", "TransferSyntaxUID", "PhotometricInterpretation", "Manufacturer", "PatientSex")
_IDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: how many cells are filled, how many values differ, the commonest, the range of numbers.

    ``files`` counts the values that name a file of the tree, by its name or by its name without ending.
    """

    name: str
    filled: int
    distinct: int
    common: tuple[tuple[str, int], ...]
    range: tuple[float, float] | None
    files: int
    stems: int


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table: its rows and columns, or what is wrong with it."""

    path: str
    rows: int
    columns: tuple[Column, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """What a machine can know of one download or one folder.

    Attributes:
        place: Where the bytes are on this machine.
        url: Where they came from; empty for what was here.
        size: Bytes of the download; ``None`` for a folder.
        sha256: Its hash; empty for a folder, and where no hash lasts.
        root: The folder inside that is the source's tree.
        files: Path below the root -> size.
        tables: What is in its tables.
        looks: Counts of properties, by what was looked at: pictures, DICOM headers, headers of volumes.
        problems: Files that could not be read, and why.
    """

    place: Path
    url: str
    size: int | None
    sha256: str
    root: str
    files: Mapping[str, int]
    tables: tuple[TableFacts, ...]
    looks: Mapping[str, Mapping[str, Counter[str]]]
    problems: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Which skeleton fits: by what most files are."""
        counts = {
            "pictures": len(self.ending(PICTURES)),
            "dicom": len(self.ending(DICOM)),
            "volumes": len(self.ending(VOLUMES)),
        }
        best = max(counts, key=lambda kind: counts[kind])
        return best if counts[best] else "table"

    def ending(self, endings: tuple[str, ...]) -> list[str]:
        """List the files with one of these endings."""
        return [path for path in self.files if path.lower().endswith(endings)]


def probe(what: str, root: str | None = None, settings: Settings | None = None) -> Probe:
    """Look at a URL, which is downloaded into the cache, or at a folder, an archive or a file, which is read in place.

    Args:
        what: The address or the path.
        root: The folder inside that is the source's tree; that of a GitHub archive is known.
        settings: Cache, mirror, offline.
    """
    settings = settings or Settings.resolve()
    url, size, sha256 = "", None, ""
    if re.match(r"[a-z0-9]+://", what):
        url = _checked(what)
        download = fetch(url, Asset(name=PurePosixPath(urlsplit(url).path).name, urls=(url,)), Transfer(settings))
        place, size, sha256 = download.path, download.size, download.sha256
    else:
        place = Path(what).expanduser().absolute()
        if not place.exists():
            raise NotThereError(f"{place}: expected a URL, a folder, an archive or a file, found nothing")
    github = GITHUB.fullmatch(url)
    root = root if root is not None else f"{github[2]}-{github[3]}/" if github else ""
    raw = _tree(place, url, root)
    files = {path: size for path, size in sorted(raw.sizes().items()) if not is_litter(path)}
    if not files:
        raise UsageError(f"{what}: expected files below {root!r}, found none; name another folder with --root")
    problems: list[str] = []
    tables = tuple(_table(raw, path, files) for path in files if path.lower().endswith(TABLES))
    looks = {
        what: _looks(raw, [path for path in files if path.lower().endswith(endings)], look, problems)
        for what, endings, look in (
            ("pictures", PICTURES, _picture),
            ("DICOM files", DICOM, _dicom),
            ("volumes", VOLUMES, _volume),
        )
    }
    return Probe(
        place,
        url,
        size,
        "" if github else sha256,  # GitHub packs its archives anew
        root,
        files,
        tables,
        {what: found for what, found in looks.items() if found},
        tuple(problems),
    )


def report(found: Probe) -> str:
    """Write what was found as Markdown."""
    return "\n".join([*_about(found), *_folders(found), *_tables(found), *_looked(found), *_wrong(found)]) + "\n"


def _checked(url: str) -> str:
    try:
        if urlsplit(url).hostname and urlsplit(url).port != 0:
            return url
        why = "no host"
    except ValueError as error:  # a port that is no number, an address in brackets that is none
        why = str(error)
    raise UsageError(f"{url}: expected an address such as https://example.org/set.zip, found {why}")


def _tree(place: Path, url: str, root: str) -> RawTree:
    if place.is_dir() or is_archive(place.name):
        return RawTree((TreeMount((str(place),), root),))
    name = PurePosixPath(urlsplit(url).path).name if url else place.name
    return RawTree((FileMount((str(place.parent),), place.name, name),))


def _table(raw: RawTree, path: str, files: Iterable[str]) -> TableFacts:
    try:
        if path.lower().endswith(".xlsx"):
            table = read_xlsx(raw, path, required=())
        else:
            table = read_csv(raw, path, required=(), delimiter="\t" if path.lower().endswith(".tsv") else ",")
    except CovidDatasetsError as error:
        return TableFacts(path, 0, (), (str(error),))
    names = {PurePosixPath(file).name for file in files}
    stems = {PurePosixPath(file).stem for file in files}
    columns = []
    for name in table.rows[0] if table.rows else ():
        values = Counter(row[name].strip() for row in table.rows)
        filled = sum(values.values()) - values.pop("", 0)
        numbers = [number for value in values if (number := _number(value)) is not None]
        columns.append(
            Column(
                name,
                filled,
                len(values),
                tuple(values.most_common(COMMON)),
                (min(numbers), max(numbers)) if numbers and len(numbers) == len(values) else None,
                len(values.keys() & names),
                len(values.keys() & stems),
            )
        )
    return TableFacts(path, len(table.rows), tuple(columns), tuple(f"{n.kind}: {n.what}" for n in table.notices))


def _number(text: str) -> float | None:
    try:
        return float(text) if text.isascii() and text.lower().strip("+-") not in ("nan", "inf", "infinity") else None
    except ValueError:
        return None


def _looks(
    raw: RawTree,
    paths: Sequence[str],
    look: Callable[[bytes, str], Iterator[tuple[str, str]]],
    problems: list[str],
) -> dict[str, Counter[str]]:
    """Count the properties of files; of many, of some that are evenly spread."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for path in paths[:: max(1, -(-len(paths) // LOOKED_AT))]:
        try:
            for name, value in look(raw.read(path), path):
                found[name][value] += 1
        except Exception as error:  # decoders let through whatever their parsers raise; the file is named
            problems.append(f"{path}: {type(error).__name__}: {' '.join(str(error).split())[:200]}")
    return dict(found)


def _picture(data: bytes, path: str) -> Iterator[tuple[str, str]]:
    from PIL import Image

    from covid_datasets.measure.image import FORMATS

    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        yield "format", f"{image.format} as {PurePosixPath(path).suffix.lower()}"
        yield "mode", image.mode
        yield "size", f"{image.width}x{image.height}"


def _dicom(data: bytes, path: str) -> Iterator[tuple[str, str]]:
    need("pydicom")
    import pydicom

    header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    for tag in _TAGS:
        yield tag, str(header.get(tag, None) or header.file_meta.get(tag, None) or "(none)")
    yield "size", f"{header.get('Columns', '?')}x{header.get('Rows', '?')}"
    for tag in _IDS:
        yield tag, str(header.get(tag, ""))


def _volume(data: bytes, path: str) -> Iterator[tuple[str, str]]:
    header = read_header(data, path)
    yield "slices, rows, columns", "x".join(map(str, header.shape))
    yield "type", str(header.dtype)
    yield "spacing (mm)", "x".join(f"{size:.3g}" for size in header.spacing)
    yield "format", "MetaImage" if path.lower().endswith(META) else "NIfTI"
    yield "slope, intercept", f"{header.slope:g}, {header.intercept:g}"
    yield "says where it lies", "no" if header.affine is None else "yes"


def _about(found: Probe) -> Iterator[str]:
    yield f"# What a machine found in {markdown(str(found.url or found.place))}"
    yield ""
    yield "A working paper for whoever fills in the card: nothing reads it, and it is not committed."
    yield ""
    if found.size is not None:
        yield f"- download: {found.size:,} bytes" + (
            f", sha256 {found.sha256}" if found.sha256 else ", no lasting hash"
        )
    yield f"- tree: {len(found.files):,} files, {sum(found.files.values()):,} bytes below {found.root or 'its top'!r}"
    yield f"- most of it: {found.kind}"


def _folders(found: Probe) -> Iterator[str]:
    folders: dict[str, list[str]] = defaultdict(list)
    for path in found.files:
        folders[str(PurePosixPath(path).parent)].append(PurePosixPath(path).name)
    yield from ("", "## Folders", "", "| folder | files | endings | such as |", "| --- | --- | --- | --- |")
    for folder, names in sorted(folders.items(), key=lambda item: -len(item[1]))[:40]:
        endings = Counter(_ending(name) for name in names).most_common(4)
        shown = ", ".join(f"{ending} {count:,}" for ending, count in endings)
        such = f"{markdown(names[0])}, {markdown(names[-1])}"
        yield f"| {markdown(folder)} | {len(names):,} | {markdown(shown)} | {such} |"
    if len(folders) > 40:
        yield f"\n… and {len(folders) - 40:,} more folders"


def _ending(name: str) -> str:
    return next(
        (ending for ending in VOLUMES[::-1] if name.lower().endswith(ending)), PurePosixPath(name).suffix.lower()
    )


def _tables(found: Probe) -> Iterator[str]:
    for table in found.tables:
        yield from ("", f"## {markdown(table.path)}: {table.rows:,} rows", "")
        yield from (f"- {markdown(problem)}" for problem in table.problems[:10])
        if table.columns:
            yield from (
                "| column | filled | values | range | commonest | files |",
                "| --- | --- | --- | --- | --- | --- |",
            )
        for column in table.columns:
            span = f"{column.range[0]:g} to {column.range[1]:g}" if column.range else ""
            common = "; ".join(f"{_short(value)} {count:,}" for value, count in column.common)
            files = f"names {max(column.files, column.stems):,}" if column.files or column.stems else ""
            yield f"| {markdown(column.name)} | {column.filled:,} | {column.distinct:,} | {span} | {common} | {files} |"


def _looked(found: Probe) -> Iterator[str]:
    for what, properties in found.looks.items():
        yield from ("", f"## {markdown(what)}", "")
        for name, values in properties.items():
            common = "; ".join(f"{markdown(value)} {count:,}" for value, count in values.most_common(COMMON))
            yield (
                f"- {markdown(name)}: {len(values):,} different; {common}"
                if name not in _IDS
                else f"- {markdown(name)}: {len(values):,} different"
            )


def _wrong(found: Probe) -> Iterator[str]:
    if found.problems:
        yield from ("", "## Not readable", "", *(f"- {markdown(problem)}" for problem in found.problems[:40]))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return markdown(text if len(text) <= 40 else f"{text[:37]}...")
