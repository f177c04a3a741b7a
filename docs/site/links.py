"""Check a built site: every link within it leads somewhere, and no page needs or runs anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SHOWN_BY_BROWSERS = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
_ELSEWHERE = ("http", "https")
_SAFE = ("", "mailto", *_ELSEWHERE)


class _Page(HTMLParser):
    """What a page leads to, what it shows, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.parts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of a tag."""
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in SHOWN_BY_BROWSERS and (place := given.get(SHOWN_BY_BROWSERS[tag])):
            self.parts.append((tag, place))


def broken(site: Path) -> list[str]:
    """List what is wrong: page, link, and why; empty where all is well."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    return [
        f"{path.relative_to(site)}: {link}: {why}"
        for path in pages
        for link, why in _wrong(path, pages, site.resolve())
    ]


def _wrong(path: Path, pages: Mapping[Path, _Page], site: Path) -> Iterator[tuple[str, str]]:
    page = pages[path]
    for link in page.links:
        scheme = urlsplit(link).scheme.lower()
        if scheme not in _SAFE:
            yield link, "a browser would run it"
        elif scheme == "" and (why := _missing(link, path, pages, site)):
            yield link, why
    for tag, place in page.parts:
        scheme = urlsplit(place).scheme.lower()
        if scheme in _ELSEWHERE or place.startswith("//"):
            yield place, f"a page loads this {tag} from elsewhere"
        elif scheme == "" and (why := _missing(place, path, pages, site)):
            yield place, why


def _missing(link: str, path: Path, pages: Mapping[Path, _Page], site: Path) -> str:
    """Say what a link within the site lacks; empty where it leads somewhere."""
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(site):
        return "leads out of the site"
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "there is no such file"
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].places:
        return "there is no such place in the page"
    return ""
