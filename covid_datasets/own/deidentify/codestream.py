"""Compressed pictures without what is written beside their pixels: comments, names of programs, what follows the end.

Pixels are not decoded, so no value of them changes.
"""

from __future__ import annotations

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_ADOBE, _COLOURS = 0xEE, 0xE8
_ALONE = {0x01, *range(0xD0, 0xD8)}
_CODING = {*range(0xC0, 0xD0), *range(0xDA, 0xDE), 0xF7, 0xF8}
"""Segments of JPEG and JPEG-LS that a decoder needs: frames, scans, tables, intervals, and how many lines there are."""
_SOC, _SOT, _SOD, _EOC, _NOTE = b"\xff\x4f", b"\xff\x90", b"\xff\x93", b"\xff\xd9", b"\xff\x64"
_CODING_2000 = {*range(0x50, 0x5A), *range(0x5C, 0x62), *range(0x70, 0x7A)}
"""Segments of JPEG 2000 that a decoder needs or finds its way by; comments (64) and unknown ones are none."""


def plain_jpeg(frame: bytes) -> bytes:
    """Return a JPEG or JPEG-LS of what a decoder needs: no comments, no application segments but those of colours.

    Raises:
        ValueError: It is none, or not whole.
    """
    if frame[:2] != bytes((0xFF, _SOI)):
        raise ValueError("no JPEG: it does not begin as one")
    kept, at = [frame[:2]], 2
    while True:
        marker, at = _marker(frame, at)
        if marker == _EOI:
            return b"".join((*kept, bytes((0xFF, _EOI))))
        if marker in _ALONE:
            kept.append(bytes((0xFF, marker)))
            continue
        end = at + int.from_bytes(frame[at : at + 2])
        if end < at + 2 or end > len(frame):
            raise ValueError(f"a segment of a JPEG that ends at byte {end:,} of {len(frame):,}")
        segment = frame[at:end]
        if not _is_beside(marker, segment):
            kept += [bytes((0xFF, marker)), segment]
        at = end
        if marker == _SOS:
            at = _end_of_scan(frame, end)
            kept.append(frame[end:at])


def _marker(frame: bytes, at: int) -> tuple[int, int]:
    """Return a marker and where what belongs to it begins."""
    if frame[at : at + 1] != b"\xff":
        raise ValueError(f"no marker at byte {at:,} of a JPEG")
    while frame[at : at + 1] == b"\xff":  # filled up
        at += 1
    if at >= len(frame):
        raise ValueError("a JPEG without an end")
    return frame[at], at + 1


def _is_beside(marker: int, segment: bytes) -> bool:
    """Tell whether a segment says nothing that a decoder needs."""
    if marker == _ADOBE:
        return not (len(segment) == 14 and segment[2:7] == b"Adobe")
    if marker == _COLOURS:
        return not (len(segment) == 7 and segment[2:6] == b"mrfx")
    return marker not in _CODING


def _end_of_scan(frame: bytes, at: int) -> int:
    """Find the marker after the coded pixels, in which ones are followed by a zero, or by a mark to begin anew."""
    while (at := frame.find(b"\xff", at)) >= 0 and at + 1 < len(frame):
        follows = frame[at + 1]
        if follows == 0xFF:
            at += 1
        elif follows >= 0x80 and follows not in _ALONE:
            return at
        else:
            at += 2
    raise ValueError("a JPEG without an end")


def plain_jpeg_2000(frame: bytes) -> bytes:
    """Return a JPEG 2000 codestream without comments and unknown segments.

    Raises:
        ValueError: It is none, or not whole.
    """
    if frame[:2] != _SOC:
        raise ValueError("no JPEG 2000 codestream: it does not begin as one")
    kept, at = [_SOC], 2
    while frame[at : at + 2] != _SOT:
        end = _segment_end(frame, at)
        if frame[at + 1] in _CODING_2000:
            kept.append(frame[at:end])
        at = end
    while frame[at : at + 2] == _SOT:
        length = int.from_bytes(frame[at + 6 : at + 10])
        end = at + length if length else frame.rfind(_EOC)
        if end <= at + 12 or end > len(frame):
            raise ValueError(f"a part of a JPEG 2000 that ends at byte {end:,} of {len(frame):,}")
        kept.append(_plain_part(frame[at:end]))
        at = end
    if frame[at : at + 2] != _EOC:
        raise ValueError("a JPEG 2000 without an end")
    return b"".join((*kept, _EOC))


def _plain_part(part: bytes) -> bytes:
    """Blank comments and unknown segments in the header of a part, whose length is written elsewhere."""
    blanked, at = bytearray(part), 0
    while part[at : at + 2] != _SOD:
        end = _segment_end(part, at)
        if at and part[at + 1] not in _CODING_2000:
            blanked[at : at + 2] = _NOTE  # decoders stop at one that they do not know
            blanked[at + 4 : end] = bytes(end - at - 4)
        at = end
    return bytes(blanked)


def _segment_end(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at + 2 : at + 4])
    if data[at : at + 1] != b"\xff" or length < 2 or at + 2 + length > len(data):
        raise ValueError(f"no segment of a JPEG 2000 at byte {at:,}")
    return at + 2 + length
