"""Where things live and what the network may do: arguments first, then environment, then defaults."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_FALSE = {"", "0", "false", "no", "off"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Cache folder, mirror and offline switch, resolved once per call.

    >>> Settings.resolve(cache_dir="/data/cache").downloads.as_posix()
    '/data/cache/downloads'
    """

    cache: Path
    mirror: str | None = None
    offline: bool = False

    @classmethod
    def resolve(
        cls,
        cache_dir: str | os.PathLike[str] | None = None,
        mirror: str | None = None,
        offline: bool | None = None,
    ) -> Settings:
        """Take each setting from its argument, else its environment variable, else its default."""
        environment = os.environ
        if offline is None:
            offline = environment.get("COVID_DATASETS_OFFLINE", "").strip().lower() not in _FALSE
        cache = cache_dir or environment.get("COVID_DATASETS_CACHE") or _platform_cache()
        return cls(
            cache=Path(cache).expanduser().absolute(),
            mirror=mirror or environment.get("COVID_DATASETS_MIRROR") or None,
            offline=offline,
        )

    @property
    def downloads(self) -> Path:
        """Raw files as their hosts served them."""
        return self.cache / "downloads"

    @property
    def prepared(self) -> Path:
        """Finished builds, and the work folders of unfinished ones."""
        return self.cache / "prepared"


def _platform_cache() -> Path:
    if sys.platform == "darwin":
        return Path("~/Library/Caches/covid_datasets")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~/AppData/Local")) / "covid_datasets"
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "covid_datasets"
