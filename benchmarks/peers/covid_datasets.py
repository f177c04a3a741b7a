"""This library as a contender of the peer benchmark: W1, W2 and W7."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from peerbench.api import Contender, NotApplicable, Record

if TYPE_CHECKING:
    import numpy as np


class CovidDatasets(Contender):
    """The whole way: metadata joined, every byte hashed, every image decoded and judged, splits audited."""

    imports = "import covid_datasets"
    warm = "import covid_datasets.build.engine, covid_datasets.load.verify, openpyxl, pyarrow.compute"
    verify_mode: Literal["full", "bytes"] = "full"
    framework = "numpy"
    threads = False

    def build(self, records: Sequence[Record], out: Path) -> None:
        """W1: build the source that the records are of, from its own folder."""
        import covid_datasets

        first = records[0]
        root = Path(str(first.path).removesuffix(str(first.meta["image_id"])))
        executor: Executor | None = ThreadPoolExecutor(2) if self.threads else None
        covid_datasets.build_dataset(
            str(first.meta["source"]),
            data_dir=root,
            cache_dir=out,
            verify=self.verify_mode,
            executor=executor,
            allow_missing=True,
        )

    def first_sample(self, prepared: Path) -> np.ndarray:
        """W2: the first image of the train split."""
        import covid_datasets

        (source,) = (path.name for path in (prepared / "prepared").iterdir() if not path.name.startswith("."))
        rows = covid_datasets.load_dataset(
            source, split="train", framework=self.framework, cache_dir=prepared, allow_missing=True
        )
        image: np.ndarray = rows[0]["image"]
        return image


class Threads(CovidDatasets):
    """The same on threads."""

    threads = True


class Bytes(CovidDatasets):
    """Hashes only: no pixel is decoded."""

    verify_mode = "bytes"
    threads = True

    def first_sample(self, prepared: Path) -> np.ndarray:
        """W2 is measured with the default build."""
        raise NotApplicable("the same as the default build")


class HuggingFaceForm(CovidDatasets):
    """W2 through ``framework="hf"``."""

    framework = "hf"

    def first_sample(self, prepared: Path) -> np.ndarray:
        """W2: the first image, as Hugging Face ``datasets`` decodes it."""
        import numpy as np

        return np.asarray(super().first_sample(prepared))


CONTENDERS = {"": CovidDatasets, "threads": Threads, "bytes": Bytes, "hf": HuggingFaceForm}
