"""What is found in a PDF: pictures with their places and captions, and what was left out; as JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from covid_datasets.harmless import csv_cell

Box = tuple[float, float, float, float]
"""Left, bottom, right and top on a page, in points from its lower left corner, as the page is shown."""
Cut = tuple[int, int, int, int]
"""Left, top, right and bottom of a panel, in pixels of its picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture of a PDF, once, wherever it is shown; ``pages`` count from 1, ``box`` is its place on the first.

    ``original`` says that the file is the stream of the PDF, byte for byte; else it was stored without a format of its
    own, and is a PNG or TIFF of the same values. ``panels`` are proposed cuts, none where it seems to be one picture.
    """

    file: str
    pages: tuple[int, ...]
    object: int
    width: int
    height: int
    original: bool
    mask: bool
    sha256: str
    box: Box
    caption: str | None
    panels: tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was not written, or not read, and why; ``object`` is 0 where it has no number."""

    page: int
    object: int
    why: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was found in a PDF."""

    pdf: str
    sha256: str
    pages: int
    pictures: tuple[Picture, ...]
    left_out: tuple[LeftOut, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, table: Mapping[str, Any]) -> Figures:
        """Read what `to_json` gave."""
        pictures = tuple(
            Picture(
                **{
                    **each,
                    "pages": tuple(each["pages"]),
                    "box": tuple(each["box"]),
                    "panels": tuple(tuple(cut) for cut in each["panels"]),
                }
            )
            for each in table["pictures"]
        )
        left_out = tuple(LeftOut(**each) for each in table["left_out"])
        return cls(table["pdf"], table["sha256"], table["pages"], pictures, left_out)


def as_csv(pictures: Sequence[Picture]) -> str:
    """Write pictures as CSV, a line each; what is a list has blanks between its parts, and panels semicolons.

    >>> as_csv([])[:23]
    'file,pages,object,width'
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Picture.__dataclass_fields__)
    for each in pictures:
        row = asdict(each)
        row["pages"], row["box"] = " ".join(map(str, each.pages)), " ".join(f"{side:.1f}" for side in each.box)
        row["panels"] = "; ".join(" ".join(map(str, cut)) for cut in each.panels)
        writer.writerow([csv_cell(value) for value in row.values()])
    return out.getvalue()
