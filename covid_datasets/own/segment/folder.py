"""A folder of scans of one's own -> masks, numbers and pictures; the same call goes on where another one stopped."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

import covid_datasets.transforms.segment as methods
from covid_datasets.disk import make_folder, read_json, write_file, write_json
from covid_datasets.errors import CacheError, CovidDatasetsError, NoSpaceError, UsageError, did_you_mean, words_of
from covid_datasets.extras import need
from covid_datasets.lock import Lock
from covid_datasets.own.files import ENDINGS, Item, find_items, is_mask
from covid_datasets.own.segment.report import SegmentedFolder, SegmentedScan, write_report
from covid_datasets.own.segment.scans import OwnScan, read_scan
from covid_datasets.progress import progress, tell
from covid_datasets.raw.tree import RawTree
from covid_datasets.transforms.segment.doubts import confidence_of, reasons_of
from covid_datasets.transforms.segment.given import name_of
from covid_datasets.transforms.segment.infection import Finder, infection_mask
from covid_datasets.transforms.segment.lungs import Lungs, Mender, Segmenter, lung_mask
from covid_datasets.transforms.segment.pictures import DENSE, GLASS, LUNG, grey_of, outlined
from covid_datasets.transforms.segment.quantify import quantify

JOURNAL = ".segment"
SHOWN = 6
"""Slices of a scan that its picture shows."""
METHODS = ("threshold", "rag")


def segment_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    method: Literal["threshold", "rag"] | Finder = "threshold",
    lungs: Literal["classical"] | Segmenter | Mender = "classical",
) -> SegmentedFolder:
    """Find lungs and infection in each CT of a folder: NIfTI, MetaImage, DICOM series, or pictures of slices.

    ``out`` gets ``segment.json``, ``lesions.csv``, ``zones.csv``, ``report.md`` with pictures, and for each scan
    ``NAME_lung.nii.gz`` (1 right, 2 left) and ``NAME_infection.nii.gz`` (1 infected, 2 hyper-dense) in the scan's own
    geometry. What is no CT, or damaged, has a row that says why. The same call goes on where another one was stopped,
    and does again what has changed since. Files in folders that are called ``mask`` are no scans.

    Args:
        folder: The scans, in folders or not; or one file.
        out: A new or empty folder, or one that the same command began; not inside of ``folder``.
        method: How infection is found, as in `infection_mask`: "threshold", "rag" or a function.
        lungs: How lungs are found, as in `lung_mask`: "classical", `covid_datasets.learned_lungs` or a function. What
            is no string has a ``name``, by which it is known whether a scan has to be done again.

    Raises:
        UsageError: The folders are in one another, or ``out`` holds something else.

    >>> here = getfixture("tmp_path")
    >>> _ = (here / "scans").mkdir(), Image.new("L", (64, 64)).save(here / "scans" / "black.png")
    >>> done = segment_folder(here / "scans", here / "masks")
    >>> [(scan.file, scan.infection_rate, scan.reasons) for scan in done.scans]
    [('black.png', None, ('all values are one',))]
    """
    need("scipy", "nibabel")
    source, target = Path(folder), Path(out)
    only = source.name if source.is_file() else ""
    source = source.parent if only else source
    _check(source, target, bool(only), method, lungs)
    make_folder(target / JOURNAL)
    with Lock(target / JOURNAL / "lock", on_wait=tell):
        for litter in target.rglob(".*.part"):  # of a call that was killed
            litter.unlink(missing_ok=True)
        raw = RawTree.of_folder(source)
        items, notices = find_items(raw)
        chosen = [item for item in items if not is_mask(item.path) and (not only or item.path == only)]
        if only and not chosen:
            raise UsageError(f"{folder}: expected a CT (NIfTI, MetaImage or a picture), or a folder of scans")
        names = _names(chosen)
        work = _Work(source, target, raw, method, lungs)
        scans = []
        with progress("segment", total_bytes=len(chosen), unit="files") as display:
            display.add("scans", len(chosen))
            for item in chosen:
                scans.append(work.do(item, names[item.path]))
                display.advance("scans")
        work.forget({names[item.path] for item in chosen})
        left_out = () if only else tuple(f"{notice.where}: {notice.what}" for notice in notices)
        done = SegmentedFolder(target, tuple(scans), left_out)
        write_report(done, [scan.name for scan in scans if scan.name])
    return done


def _check(source: Path, target: Path, single: bool, method: object, lungs: object) -> None:
    for what, given, known in (("method", method, METHODS), ("lungs", lungs, ("classical",))):
        if not (given in known if isinstance(given, str) else callable(given) or isinstance(given, Mender)):
            hint = did_you_mean(given, known)
            raise UsageError(f"{what}: expected one of {', '.join(known)}, or a function, found {given!r}{hint}")
    if not source.is_dir():
        raise UsageError(f"{source}: expected a folder or a file, found nothing")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target}: expected a folder, or nothing, found a file")
    inside, outside = source.resolve(), target.resolve()
    if not single and (inside == outside or inside in outside.parents or outside in inside.parents):
        raise UsageError(f"{target} and {source}: expected two folders beside each other, found one in the other")
    if target.exists() and not (target / JOURNAL).is_dir() and (there := sorted(os.listdir(target))):
        raise UsageError(
            f"{target}: expected a new or empty folder, or one that the same command began, found {there[0]!r} in it"
        )


def _names(items: Iterable[Item]) -> dict[str, str]:
    """Name the masks of each scan as its file without what it ends with; with it, where two would have one name."""
    plain = {item.path: _stem(item.path) for item in items}
    taken = Counter([*plain.values(), *(path for path, name in plain.items() if name != path)])
    return {path: name if taken[name] == 1 else path for path, name in plain.items()}


def _stem(path: str) -> str:
    """Leave out what a name ends with.

    >>> _stem("ward/ct.nii.gz"), _stem("a.b.PNG"), _stem("series")
    ('ward/ct', 'a.b', 'series')
    """
    ending = max((each for each in ENDINGS if path.lower().endswith(each)), key=len, default="")
    return path[: len(path) - len(ending)]


@dataclass(frozen=True, slots=True)
class _Work:
    """Scans on their way to results; each is in the journal when all that it makes is there."""

    source: Path
    target: Path
    raw: RawTree
    method: Literal["threshold", "rag"] | Finder
    lungs: Literal["classical"] | Segmenter | Mender

    def do(self, item: Item, name: str) -> SegmentedScan:
        """Segment one scan; one that was done before, and has not changed since, is taken as it is."""
        note = self._note(name)
        known = self._known(item)
        before = read_json(note)
        if before.get("known") == known and before.get("sizes") == self._sizes(name):
            return _of_json(before["scan"])
        try:
            done = self._segment(item, name)
        except (NoSpaceError, CacheError):  # of OUT, not of the scan
            raise
        except Exception as error:  # one scan does not stop a thousand others: it has a row that says why
            why = str(error) if isinstance(error, CovidDatasetsError) else words_of(error)
            done = SegmentedScan(item.path, None, None, 0.0, (why,))
        make_folder(note.parent)
        write_json(note, {"known": known, "name": name, "sizes": self._sizes(name), "scan": asdict(done)})
        return done

    def forget(self, names: set[str]) -> None:
        """Remove what was made of scans that are no longer there."""
        for note in (self.target / JOURNAL).glob("*.json"):
            name = read_json(note).get("name")
            if isinstance(name, str) and name not in names:
                for path in self._files(name):
                    path.unlink(missing_ok=True)
                note.unlink()

    def _segment(self, item: Item, name: str) -> SegmentedScan:
        scan = read_scan(self.raw, item)
        shown, spacing, orientation = scan.shown, scan.spacing, scan.orientation
        lungs = lung_mask(shown, spacing=spacing, orientation=orientation, method=self.lungs)
        if lungs.empty:
            for path in self._files(name):
                path.unlink(missing_ok=True)
            return SegmentedScan(item.path, None, None, 0.0, (*lungs.reasons, *reasons_of(scan.told)))
        found = infection_mask(shown, lungs, spacing=spacing, orientation=orientation, method=self.method)
        sums = quantify(shown, lungs, found, spacing=spacing, orientation=orientation)
        lung, infection, picture = self._files(name)
        for path in (lung, picture):
            make_folder(path.parent)
        write_file(lung, scan.nifti(lungs.mask))
        write_file(infection, scan.nifti(found.mask))
        write_file(picture, _picture(scan, lungs, found.mask))
        return SegmentedScan(
            file=item.path,
            infection_rate=sums.infection_rate,
            lung_ml=sums.lung_ml,
            confidence=round(sums.confidence * confidence_of(scan.told), 3),
            reasons=(*reasons_of(scan.told), *sums.reasons),
            name=name,
            zones=tuple(sums.table()),
            lesions=tuple(asdict(lesion) for lesion in sums.lesions),
        )

    def _files(self, name: str) -> tuple[Path, Path, Path]:
        place = self.target / name
        picture = self.target / "pictures" / f"{name}.png"
        return place.with_name(f"{place.name}_lung.nii.gz"), place.with_name(f"{place.name}_infection.nii.gz"), picture

    def _note(self, name: str) -> Path:
        return self.target / JOURNAL / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}.json"

    def _known(self, item: Item) -> str:
        """Know a scan again by its files' names, sizes and times, and by the way results are made."""
        said = [f"{version('covid-datasets')} {way()} {name_of(self.method)} {name_of(self.lungs)}"]
        for path in item.files:
            state = (self.source / path).stat()
            said.append(f"{path}\0{state.st_size}\0{state.st_mtime_ns}")
        return hashlib.sha256("\0".join(said).encode("utf-8", "surrogateescape")).hexdigest()

    def _sizes(self, name: str) -> list[int | None]:
        return [path.stat().st_size if path.is_file() else None for path in self._files(name)]


@cache
def way() -> str:
    """Know the way in which results are made by its code, also between releases: with any other, all are made again."""
    found = hashlib.sha256()
    for room in (Path(__file__).parent, *map(Path, methods.__path__)):
        for module in sorted(room.glob("*.py")):
            found.update(module.read_bytes())
    return found.hexdigest()


def _of_json(said: Mapping[str, object]) -> SegmentedScan:
    found = {**said, **{key: tuple(said[key]) for key in ("reasons", "zones", "lesions")}}  # type: ignore[arg-type]
    return SegmentedScan(**found)  # type: ignore[arg-type]


def _picture(scan: OwnScan, lungs: Lungs, infection: np.ndarray) -> bytes:
    """Draw outlines over some slices, from the lowest to the highest that has lung, side by side."""
    shown = scan.shown[None] if scan.flat else scan.shown
    lung, ill = (mask[None] if scan.flat else mask for mask in (lungs.mask, infection))
    hounsfield = lungs.levels.hounsfield if lungs.levels else None
    drawn = []
    for number in _spread(np.flatnonzero(lung.any(axis=(1, 2)))):
        masks = [(lung[number] > 0, LUNG), (ill[number] > 0, GLASS), (ill[number] == 2, DENSE)]
        drawn.append(outlined(grey_of(shown[number], hounsfield), masks))
    out = io.BytesIO()
    Image.fromarray(np.concatenate(drawn, axis=1)).save(out, "PNG")
    return out.getvalue()


def _spread(numbers: np.ndarray) -> Iterator[int]:
    chosen = np.unique(np.linspace(0, len(numbers) - 1, SHOWN + 2).round().astype(int)[1:-1])
    yield from (int(numbers[at]) for at in chosen)
