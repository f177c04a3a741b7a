"""One file to download: where it is served, and what is published about its bytes."""

from __future__ import annotations

from dataclasses import dataclass

HASHES = ("sha256", "md5", "sha1")
"""The hashes that publishers give; the first is always taken, the others where they are published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that several places may serve.

    Attributes:
        name: What people call it in messages.
        urls: Where it is served, in the order in which to ask.
        size: Its published size in bytes, if any.
        sha256: Its published hash, as are ``md5`` and ``sha1``; empty where none is published.
        checked_inside: Whether somebody checks each file inside, so that a file of a mirror needs no hash of its own.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str = ""
    md5: str = ""
    sha1: str = ""
    checked_inside: bool = False

    @property
    def published(self) -> dict[str, str]:
        """The hashes that are published, by name.

        >>> Asset(name="a", urls=(), md5="0" * 32).published
        {'md5': '00000000000000000000000000000000'}
        """
        return {name: value for name in HASHES if (value := getattr(self, name))}
