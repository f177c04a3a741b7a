"""Bounds that an archive must keep before anything inside is trusted."""

from __future__ import annotations

from covid_datasets.errors import UnsafeArchiveError

MAX_MEMBER_BYTES = 8 << 30
MAX_EXPANSION = 200
"""An archive that claims to expand more than this, beyond `FREE_EXPANSION_BYTES`, is a bomb."""
FREE_EXPANSION_BYTES = 64 << 20


def leads_out(name: str) -> bool:
    """Tell whether a name could mean a file elsewhere, on any system."""
    parts = name.replace("\\", "/").split("/")
    return name.startswith(("/", "\\")) or ".." in parts or "\0" in name or (len(name) > 1 and name[1] == ":")


def check_name(name: str, shown: str) -> None:
    """Refuse a member whose name leads out of its archive, which is called ``shown``."""
    if leads_out(name):
        raise UnsafeArchiveError(
            f"{shown}: member {name!r} points outside of the archive's own folder; the archive is refused. "
            "Fetch it again from the publisher, and report it if it is the same there."
        )


def check_size(name: str, size: int, shown: str) -> None:
    """Refuse a member that claims more bytes than any file of this field has."""
    if size > MAX_MEMBER_BYTES:
        raise UnsafeArchiveError(f"{shown}: member {name!r} claims {size:,} bytes; the limit is {MAX_MEMBER_BYTES:,}")


def check_bomb(what: str, size: int, packed: int, shown: str) -> None:
    """Refuse ``packed`` bytes that would expand beyond all measure."""
    if size > FREE_EXPANSION_BYTES and size > MAX_EXPANSION * max(packed, 1):
        raise UnsafeArchiveError(
            f"{shown}: {what} would expand {packed:,} bytes to {size:,}: an archive bomb; it is refused"
        )
