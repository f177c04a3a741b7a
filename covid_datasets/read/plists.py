"""Outlines that OsiriX and Horos export as property lists (XML): what was drawn on the images of one series."""

from __future__ import annotations

import plistlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image

from covid_datasets.errors import DamagedFileError
from covid_datasets.read.bounds import border
from covid_datasets.read.encode import encode
from covid_datasets.read.polygons import Polygon, fill
from covid_datasets.schema import Made, Notice, RawFiles, RawReader, Reference

MAX_BYTES = 16 << 20
"""Of a list; one of a mammogram with hundreds of outlines has two million."""
_POINT = re.compile(r"\(\s*(-?[0-9.eE+-]{1,30})\s*,\s*(-?[0-9.eE+-]{1,30})\s*\)")


@dataclass(frozen=True, slots=True)
class Outlines:
    """What was drawn, each with its name, and what could not be used."""

    drawn: tuple[Polygon, ...] = ()
    notices: tuple[Notice, ...] = ()

    def named(self) -> list[str]:
        """List the names, each once."""
        return list(dict.fromkeys(outline.name for outline in self.drawn))


def read_outlines(data: bytes, path: str) -> Outlines:
    """Read a list; a file of another form, or one that is damaged, is told and holds nothing.

    >>> xml = plistlib.dumps({"Images": [{"ROIs": [{"Name": "lung", "Point_px": ["(1, 2)", "(3, 2)", "(3, 4)"]}]}]})
    >>> read_outlines(xml, "a.xml").drawn[0].vertices()
    [(1.0, 2.0), (3.0, 2.0), (3.0, 4.0)]
    """
    try:
        with border(path, "a property list with outlines", data):
            if len(data) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES:,} bytes")
            found = plistlib.loads(data, fmt=plistlib.FMT_XML)  # refuses entities
            images = found["Images"]
            regions = [region for image in images for region in image["ROIs"]]
    except DamagedFileError as error:
        return Outlines(notices=(Notice("outlines not read", path, f"{error}; its text is in source_row"),))
    read = [_outline(region, f"{path}#{number}") for number, region in enumerate(regions)]
    return Outlines(
        tuple(each for each in read if isinstance(each, Polygon)),
        tuple(each for each in read if isinstance(each, Notice)),
    )


def _outline(region: Any, where: str) -> Polygon | Notice:
    """Read one outline; points are pixels, from the left upper corner of the image."""
    try:
        matches = [_POINT.fullmatch(str(point).strip()) for point in region["Point_px"]]
        points = [(float(match[1]), float(match[2])) for match in matches if match]
        if len(points) < 3 or None in matches:
            raise ValueError(f"{len(points)} points")
        return Polygon.of(str(region.get("Name") or "").strip(), points)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return Notice("annotation without data", where, f"expected an outline of points, found {error}", dropped=True)


def outline_mask(path: str, picture: str, names: tuple[str, ...]) -> Made:
    """Refer to the mask of all outlines of some names, of the size of their picture."""
    return Made(path, make_outline_mask, (path, picture, names))


def make_outline_mask(raw: RawReader, path: str, picture: str, names: tuple[str, ...]) -> bytes:
    """Draw outlines; `outline_mask` refers to it."""
    with border(picture, "a picture that was drawn on"):
        width, height = Image.open(BytesIO(raw.read(picture)), formats=("PNG", "JPEG")).size
    outlines = [outline for outline in read_outlines(raw.read(path), path).drawn if outline.name in names]
    mask, wrong = fill(outlines, (height, width))
    if mask is None or wrong:
        raise DamagedFileError(f"{path}: expected outlines inside of {picture}, found {'; '.join(wrong) or 'none'}")
    return encode(mask)


def outline_masks(
    raw: RawFiles, path: str, picture: str, known: Mapping[str, str]
) -> tuple[dict[str, Reference], list[Notice]]:
    """Refer to the masks of a picture; ``known`` says which mask a name in lower case is. Other names are told."""
    outlines = read_outlines(raw.read(path), path)
    notices = list(outlines.notices)
    names: dict[str, list[str]] = {}
    for name in outlines.named():
        if mask := known.get(name.lower()):
            names.setdefault(mask, []).append(name)
        else:
            notices.append(Notice("outline of something else", path, f"{name!r} is in no mask, its text in source_row"))
    return {mask: outline_mask(path, picture, tuple(each)) for mask, each in names.items()}, notices
