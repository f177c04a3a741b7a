"""phantom has no raw files: its builder makes them."""

from pathlib import Path

from tests.sources import Expected


def write_unpacked(folder: Path) -> None:
    """Write nothing but the folder."""
    folder.mkdir(parents=True, exist_ok=True)


def write_archives(folder: Path) -> None:
    """Write nothing but the folder."""
    write_unpacked(folder)


EXPECTED = {
    "P00000-S1-CT-0.png": Expected("P00000-S1-CT-0", "P00000", "covid19", "train"),
    "P00001-S2-CXR-0.png": Expected("P00001-S2-CXR-0", "P00001", "no_finding", "validation"),
    "P00002-S1-CT-1.png": Expected("P00002-S1-CT-1", "P00002", "bacterial_pneumonia", "test"),
}

write = write_unpacked
