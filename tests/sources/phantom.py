"""phantom has no raw files: its builder makes them."""

from pathlib import Path


def write_unpacked(folder: Path) -> None:
    """Write nothing but the folder."""
    folder.mkdir(parents=True, exist_ok=True)


def write_archives(folder: Path) -> None:
    """Write nothing but the folder."""
    write_unpacked(folder)


write = write_unpacked
