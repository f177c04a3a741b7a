"""The warning of a source whose label follows where its pictures are from."""

from __future__ import annotations

from pathlib import Path

from covid_datasets.prepare.result import Built


def warning_of(built: Built) -> str:
    """Warn of what was measured of this version in this config; empty where nothing was, or nothing is wrong."""
    import covid_datasets.catalogs

    # Looked for by name, because the catalog is not imported for a source of which nothing was measured.
    if not Path(covid_datasets.catalogs.__path__[0], "confounding", f"{built.id}.toml").is_file():
        return ""
    from covid_datasets.catalog.confounded import confounding_warning

    return confounding_warning(built.id, built.version, built.config)
