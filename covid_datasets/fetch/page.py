"""What a host sent in place of a file: a web page, or an error in XML or JSON; told by the first bytes.

Each look is one pass over a bounded head, so that nothing a host sends can keep us busy.
"""

from __future__ import annotations

import html
import json
from pathlib import PurePosixPath

HEAD = 1 << 16
"""Bytes that are looked at."""
_TAGS = ("html", "head", "body", "script", "title", "meta", "style", "link")
_BINARY = frozenset(
    ".zip .gz .tgz .bz2 .tbz2 .xz .tar .7z .rar .png .jpg .jpeg .tif .tiff .gif .bmp .webp .nii .dcm .npy .npz .h5 "
    ".hdf5 .mat .xlsx .pdf .mp4 .avi .mov .mkv .webm .parquet .arrow".split()
)
_TABLES = frozenset({".csv", ".tsv"})
_SHOWN = 80


def is_page(head: bytes) -> bool:
    r"""Tell whether bytes begin as a web page does, in UTF-8 or UTF-16, be it with comments or with a script.

    >>> is_page(b"<!-- busy --><HTML>"), is_page("<script>".encode("utf-16")), is_page(b"PK\3\4"), is_page(b"<header>")
    (True, True, False, False)
    """
    begin = _beginning(_text(head))[:200].lower()
    if begin.startswith("<!doctype"):
        return begin.removeprefix("<!doctype").split()[:1] in (["html"], ["html>"]) or "html" in begin.split(">")[0]
    tag = begin[1:].split(">")[0].split()[:1] if begin.startswith("<") else []
    return bool(tag) and tag[0].rstrip("/") in _TAGS


def unlike(head: bytes, name: str, content_type: str = "") -> str:
    r"""Say what is wrong with the first bytes of a file of this name; empty where nothing is.

    >>> unlike(b'{"error": "quota"}', "a.zip")
    'expected a .zip file, found text that begins \'{"error": "quota"}\''
    >>> unlike(b"id,age", "a.csv"), unlike(b'{"id": 1}', "a.json")
    ('', '')
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in _BINARY | _TABLES:
        return ""
    text = _text(head[:1024]).lstrip()
    shown = text[:512].rstrip("\ufffd")  # a character may be cut in two at the end
    if not shown or not all(character.isprintable() or character.isspace() for character in shown):
        return ""
    kind = content_type.lower()
    claims = kind.startswith("text/") or kind.endswith(("json", "xml"))
    errs = shown.startswith(("<", "{", "[", '"')) or claims if suffix in _BINARY else shown.startswith(("<", "{"))
    return f"expected a {suffix} file, found text that begins {shown[:_SHOWN]!r}" if errs else ""


def has_title(page: bytes | bytearray) -> bool:
    """Tell whether enough of a page is there to know its title."""
    return b"</title" in page.lower()


def title_of(page: bytes) -> str:
    """Give the title of a web page; empty where it has none.

    >>> title_of(b"<html><Title lang=en>Quota &amp; limits</title>")
    'Quota & limits'
    """
    text = _text(page)
    lower = text.lower() if len(text.lower()) == len(text) else text
    opened = lower.find("<title")
    start = lower.find(">", opened) + 1 if opened >= 0 else 0
    end = lower.find("</title", start) if start else -1
    return " ".join(html.unescape(text[start:end][:1000]).split())[:100] if end >= 0 else ""


def message_of(page: bytes) -> str:
    """Give the message of an API's error in JSON; empty where it has none."""
    try:
        message = json.loads(page).get("message")
    except (ValueError, RecursionError, AttributeError):
        return ""
    return " ".join(message.split())[:200] if isinstance(message, str) else ""


def _text(head: bytes) -> str:
    """Decode the beginning of a file, as UTF-16 where it looks like that."""
    head = bytes(head[:HEAD])
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace")
    if head[1:2] == b"\0" and head[3:4] == b"\0":
        return head.decode("utf-16-le", "replace")
    if head[:1] == b"\0" and head[2:3] == b"\0":
        return head.decode("utf-16-be", "replace")
    return head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def _beginning(text: str) -> str:
    """Skip white space, XML declarations and comments."""
    at = 0
    while True:
        while at < len(text) and (text[at].isspace() or text[at] == "\ufeff"):
            at += 1
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
            if end < 0:
                return ""
            at = end + 3
        elif text.startswith("<?", at):
            end = text.find("?>", at + 2)
            if end < 0:
                return ""
            at = end + 2
        else:
            return text[at:]
