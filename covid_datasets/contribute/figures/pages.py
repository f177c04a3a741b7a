"""Walk the pages of a PDF: which pictures each paints, where, and its lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from covid_datasets.contribute.figures.captions import Line
from covid_datasets.contribute.figures.found import Box, LeftOut
from covid_datasets.errors import words_of

Matrix = tuple[float, float, float, float, float, float]
UNIT: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
MAX_DEPTH = 8
"""Forms inside of forms; a form that holds itself has no end."""
MAX_OPERATIONS = 2_000_000
"""Of a page, those of its forms included each time: the densest vector graphics have some hundred thousand."""
MAX_SHOWN = 1_000
"""Pictures that a page may show."""
MAX_TEXT_CHUNKS = 200_000


@dataclass(slots=True)
class Page:
    """What is on a page; pictures are the stream and its box, as the page is shown."""

    number: int
    shown: list[tuple[Any, Box]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


class _Walk:
    """The operators of one page; it counts them, so that nothing is walked for ever."""

    def __init__(self, reader: Any, page: Page, turned: Matrix) -> None:
        self.reader, self.page, self.turned = reader, page, turned
        self.operations = 0

    def content(self, stream: Any, resources: Any, matrix: Matrix, depth: int) -> None:
        from pypdf.generic import ContentStream

        stack, current, inline = list[Matrix](), matrix, 0
        for operands, operator in ContentStream(stream, self.reader).operations:
            self.operations += 1
            if self.operations > MAX_OPERATIONS:
                raise ValueError(f"more than {MAX_OPERATIONS:,} operators")
            if operator == b"q":
                stack.append(current)
            elif operator == b"Q" and stack:
                current = stack.pop()
            elif operator == b"cm" and len(operands) == 6:
                current = times(_matrix(operands), current)
            elif operator == b"INLINE IMAGE":
                inline += 1
            elif operator == b"Do" and operands:
                self.paint(operands[0], resources, current, depth)
        if inline:
            why = f"{inline} inline picture(s), which are too small for figures"
            self.page.left_out.append(LeftOut(self.page.number, 0, why))

    def paint(self, name: Any, resources: Any, matrix: Matrix, depth: int) -> None:
        streams = _object(_object(resources, {}).get("/XObject"), {})
        reference = streams.raw_get(name) if name in streams else None
        stream = _object(reference, None)
        kind = stream.get("/Subtype") if hasattr(stream, "get") else None
        number = getattr(reference, "idnum", 0)
        if kind == "/Image":
            if len(self.page.shown) >= MAX_SHOWN:
                raise ValueError(f"more than {MAX_SHOWN:,} pictures on a page")
            self.page.shown.append((reference, box_of(times(matrix, self.turned))))
        elif kind == "/Form" and depth >= MAX_DEPTH:
            why = f"a form inside of {MAX_DEPTH} others"
            if LeftOut(self.page.number, number, why) not in self.page.left_out:
                self.page.left_out.append(LeftOut(self.page.number, number, why))
        elif kind == "/Form":
            inner = stream.get("/Matrix")
            own = times(_matrix(_object(inner, None)), matrix) if inner is not None else matrix
            self.content(stream, _object(stream.get("/Resources"), resources), own, depth + 1)


def walk(reader: Any, number: int) -> Page:
    """Read a page, counted from 1; what cannot be read of it is told in ``left_out``."""
    page, found = Page(number), reader.pages[number - 1]
    turned = _turned(found)
    try:
        if (content := found.get("/Contents")) is not None:
            _Walk(reader, page, turned).content(content, found.get("/Resources"), UNIT, 0)
    except Exception as error:  # parsers of foreign input raise whatever they trip over
        page.left_out.append(LeftOut(number, 0, f"pictures of the page: {words_of(error)}"))
    try:
        page.lines = list(_lines(found, turned))
    except Exception as error:  # as above
        page.left_out.append(LeftOut(number, 0, f"text of the page: {words_of(error)}"))
    return page


def _lines(page: Any, turned: Matrix) -> Iterator[Line]:
    """Yield lines in the order in which the page writes them; chunks of one height in a row are one line."""
    chunks: list[Line] = []

    def visit(text: str, matrix: Sequence[float], place: Sequence[float], _: object, size: float | None) -> None:
        if len(chunks) >= MAX_TEXT_CHUNKS:
            raise ValueError(f"more than {MAX_TEXT_CHUNKS:,} pieces of text")
        at = times(times(_matrix(place), _matrix(matrix)), turned)
        height = abs(at[3]) or abs(at[1]) or 1.0
        for part in text.split("\n"):
            if part.strip():
                chunks.append(Line(part, at[4], at[5], (size or 1.0) * height))

    page.extract_text(visitor_text=visit)
    held: Line | None = None
    for chunk in chunks:
        if held and abs(held.y - chunk.y) < 1.0 and chunk.x >= held.x:
            held = Line(held.text + chunk.text, held.x, held.y, max(held.size, chunk.size))
            continue
        if held:
            yield held
        held = chunk
    if held:
        yield held


def _turned(page: Any) -> Matrix:
    """Give the matrix from a page's own coordinates to those of the page as it is shown."""
    left, bottom, right, top = (float(side) for side in page.mediabox)
    turn = int(page.get("/Rotate", 0) or 0) % 360
    return {
        90: (0.0, -1.0, 1.0, 0.0, -bottom, right),
        180: (-1.0, 0.0, 0.0, -1.0, right, top),
        270: (0.0, 1.0, -1.0, 0.0, top, -left),
    }.get(turn, (1.0, 0.0, 0.0, 1.0, -left, -bottom))


def times(first: Matrix, second: Matrix) -> Matrix:
    """Multiply two matrices of a PDF: the first is applied first.

    >>> times((2, 0, 0, 2, 0, 0), (1, 0, 0, 1, 5, 6))
    (2, 0, 0, 2, 5, 6)
    """
    a, b, c, d, e, f = first
    g, h, i, j, k, m = second
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def box_of(matrix: Matrix) -> Box:
    """Give the box of the unit square under a matrix.

    >>> box_of((100, 0, 0, 50, 10, 20))
    (10, 20, 110, 70)
    """
    a, b, c, d, e, f = matrix
    xs, ys = (e, e + a, e + c, e + a + c), (f, f + b, f + d, f + b + d)
    return min(xs), min(ys), max(xs), max(ys)


def _matrix(operands: Any) -> Matrix:
    a, b, c, d, e, f = (float(each) for each in operands)
    return a, b, c, d, e, f


def _object(value: Any, default: Any) -> Any:
    found = value.get_object() if hasattr(value, "get_object") else value
    return default if found is None else found
