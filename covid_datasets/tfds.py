"""``import covid_datasets.tfds`` makes every source known to TensorFlow Datasets: ``tfds.load("covid_ct")``.

A builder of each source is registered under its id, with our versions as three numbers (``covid_ct:2020.4.28``), our
configs (``pocus/frames``) and the splits of the scheme ``patient``. On first use the source is built as `load_dataset`
builds it, and exported as TFRecord into our cache, where it is found from then on.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, ClassVar

from covid_datasets.catalog.card import Card
from covid_datasets.catalog.cards import readable_cards
from covid_datasets.disk import read_json
from covid_datasets.errors import NotBuiltError, UsageError, not_one_of
from covid_datasets.exports.export import export
from covid_datasets.exports.place import MANIFEST_FILE
from covid_datasets.exports.semver import semvers
from covid_datasets.extras import need
from covid_datasets.load.dataset import load_dataset
from covid_datasets.prepare.find import find_build
from covid_datasets.settings import Settings

need("tensorflow_datasets")

import tensorflow_datasets as _tfds  # noqa: E402  # after the message that says how to install it

_FORMATS = ("tfrecord", "array_record")


class Builder(_tfds.core.dataset_builder.FileReaderBuilder, skip_registration=True):  # type: ignore
    """What TensorFlow Datasets knows of a source; `register` makes a class of it for each card."""

    card: ClassVar[Card]

    def __init__(
        self, *, data_dir: str | os.PathLike[str] | None = None, config: Any = None, version: Any = None, **options: Any
    ) -> None:
        """Choose a config and a version. ``data_dir`` is where exports go; our cache by default."""
        folder = Settings.resolve().tfds if data_dir is None else Path(data_dir)
        super().__init__(data_dir=os.fspath(folder), config=config, version=version, **options)

    def download_and_prepare(
        self, *, download_dir: Any = None, download_config: Any = None, file_format: Any = None, **options: Any
    ) -> None:
        """Build the source and export it, unless that is there; ``manual_dir`` of the config is our ``data_dir``."""
        form = str(getattr(file_format, "value", file_format) or self.info.file_format.value)
        if form not in _FORMATS:
            raise UsageError(f"file_format: {not_one_of(form, _FORMATS)}")
        folder = Path(self.data_dir)
        raw = getattr(download_config, "manual_dir", None)
        again = download_config is not None and download_config.download_mode.overwrite_dataset
        if not again and self._is_current(folder, form, raw):
            return
        rows = load_dataset(self._source, self.builder_config.name, framework="numpy", data_dir=raw)
        export(rows, form, folder, overwrite=True)
        self.info._features = None  # else what an older export had would stay
        self.info.read_from_directory(self.data_dir)

    def _is_current(self, folder: Path, form: str, raw: Any) -> bool:
        """Tell whether the export is there, and of the build that would be loaded now, where there is one."""
        found = read_json(folder / MANIFEST_FILE).get("export", {})
        if found.get("format") != form:
            return False
        try:
            built = find_build(self._source, self.builder_config.name, data_dir=raw)
        except NotBuiltError:
            return True
        return bool(built.fingerprint == found.get("fingerprint"))

    @property
    def _source(self) -> str:
        """The source as `load_dataset` knows it, with our own spelling of the version."""
        return f"{self.card.id}@{semvers(self.card)[str(self.version)]}"

    def _info(self) -> Any:
        return _tfds.core.DatasetInfo(
            builder=self,
            description=self.card.summary,
            homepage=self.card.homepage,
            citation="\n\n".join(citation.bibtex() for citation in self.card.citations),
            license=self.card.licence.spdx or self.card.licence.terms,
        )

    def _download_and_prepare(self, dl_manager: Any, **options: Any) -> None:
        raise NotImplementedError("download_and_prepare does it all")


def register(card: Card) -> type[Builder] | None:
    """Make the builder of a source known; one that has nothing to load, or whose name is taken, is left out."""
    if not (card.has_data and card.versions):
        return None
    known, *others = semvers(card)
    members = {
        "name": card.id,
        "card": card,
        "VERSION": _tfds.core.Version(known),
        "SUPPORTED_VERSIONS": [_tfds.core.Version(version) for version in others],
        "BUILDER_CONFIGS": [
            _tfds.core.BuilderConfig(name=name, description=config.summary) for name, config in card.configs.items()
        ],
        "MANUAL_DOWNLOAD_INSTRUCTIONS": "\n".join(card.access.steps) or None,
        "__doc__": card.summary,
        "__module__": __name__,
    }
    try:
        return type(card.id, (Builder,), members)
    except ValueError as error:  # tfds has a data set of this name
        warnings.warn(f"{card.id} is not registered with TensorFlow Datasets: {error}", stacklevel=2)
        return None


BUILDERS = {card.id: made for card in readable_cards()[0] if (made := register(card))}
"""Every source that has something to load, by its id."""
