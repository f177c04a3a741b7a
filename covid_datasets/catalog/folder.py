"""Where the catalog files are installed."""

from __future__ import annotations

from pathlib import Path


def catalog_folder() -> Path:
    """Return the folder of the installed catalog files."""
    import covid_datasets.catalogs

    return Path(covid_datasets.catalogs.__path__[0])
