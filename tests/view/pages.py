"""What a browser and a screen reader would make of a page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "wbr"}
OURS = set(
    "html head meta title style body main h1 h2 h3 p strong section nav ul li a div table caption thead tbody tr th td "
    "span figure figcaption img br wbr code svg rect line circle text".split()
)
"""The tags that a report is made of."""
SHOWN = set("div style p strong table caption thead tbody tr th td span ul li pre wbr".split())
"""The tags of what a notebook shows."""
COUNTED = {"data-head", "class", "role", "tabindex", "aria-label", "aria-hidden", "scope"}


class Page(HTMLParser):
    """Takes a page apart; one whose tags are not closed in order is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.images: list[dict[str, str]] = []
        self.headings: list[int] = []
        self.captions: list[str] = []
        self._open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "img":
            self.images.append({name: value or "" for name, value in attrs})
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "caption":
            self.captions.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data
        if self._open and self._open[-1] == "caption":
            self.captions[-1] += data


def is_harmless(page: Page) -> bool:
    """Tell whether a page holds nothing but tags of ours, pictures in itself and links within itself."""
    for name, value in page.attributes:
        assert not name.startswith("on"), f"a handler: {name}"
        if name in ("src", "href"):
            assert value.startswith(("data:image/jpeg;base64,", "#")), value
        if name == "style":
            assert value.startswith("width:"), value
    return set(page.tags) <= OURS


def is_readable(page: Page) -> bool:
    """Tell whether a screen reader finds its way: one title, no level skipped, captions and texts for pictures."""
    steps = zip(page.headings, page.headings[1:], strict=False)
    return (
        page.headings[0] == 1
        and page.headings.count(1) == 1
        and all(after <= before + 1 for before, after in steps)
        and len(page.captions) == page.tags.count("table")
        and all(page.captions)
        and all(image["alt"] for image in page.images)
    )


def seen(shown: str) -> Page:
    """Take apart what is shown: only tags of ours, no handler, no address, no colour that a dark page would hide."""
    page = Page(shown)
    assert set(page.tags) <= SHOWN
    for name, value in page.attributes:
        assert name in COUNTED or (name == "style" and re.fullmatch(r"width:[\d.]+%", value)), (name, value)
    assert page.tags.count("style") == shown.count("<style>") == shown.count("</style>")
    assert not re.search("[\u202e\x1b]", shown)
    for style in re.findall("<style>(.*?)</style>", shown, re.S):
        assert re.findall(r"(?:color|background):\s*([^;} ]+)", style)
        assert set(re.findall(r"(?:color|background):\s*([^;} ]+)", style)) == {"inherit", "none", "currentColor"}
    assert all(page.captions)
    return page
