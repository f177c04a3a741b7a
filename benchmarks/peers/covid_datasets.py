"""This library as a contender of the peer benchmark: W1, W2, W5, W6 and W7."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from peerbench.api import SEED, SLICE_BATCH, Contender, NotApplicable, Record

if TYPE_CHECKING:
    import numpy as np
    import torch


class CovidDatasets(Contender):
    """The whole way: metadata joined, every byte hashed, every image decoded and judged, splits audited."""

    imports = "import covid_datasets"
    warm = (
        "import covid_datasets.prepare.engine, covid_datasets.load.verify, openpyxl, pyarrow.compute\n"
        "try: import duckdb, covid_datasets.load.search, peerbench.contenders._table\n"
        "except ImportError: pass"
    )
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


class SliceBatches:
    """Batches of rows in a fixed shuffled order."""

    def __init__(self, rows: Sequence[dict[str, np.ndarray]]) -> None:
        import numpy as np

        self._rows = rows
        self._order = np.random.default_rng(SEED).permutation(len(rows)).tolist()

    def __iter__(self) -> Iterator[torch.Tensor]:
        import torch

        for start in range(0, len(self._order), SLICE_BATCH):
            batch = [torch.from_numpy(self._rows[row]["image"]) for row in self._order[start : start + SLICE_BATCH]]
            yield torch.stack(batch).to(torch.float32)


class Default(CovidDatasets):
    """The default, and volumes, for which threads, hashes and frameworks change nothing."""

    def build_volumes(self, files: Sequence[Path], out: Path) -> None:
        """W6: the slices of the volumes, laid out as a source whose builder we have."""
        import covid_datasets

        folder = out / "raw" / "CT-0"
        folder.mkdir(parents=True)
        for number, file in enumerate(files, start=1):
            (folder / f"study_{number:04}.nii.gz").symlink_to(file.resolve())
        covid_datasets.build_dataset(
            "mosmed", "slices", data_dir=out / "raw", cache_dir=out, verify=self.verify_mode, allow_missing=True
        )

    def slice_loader(self, prepared: Path) -> Iterable[torch.Tensor]:
        """W6: shuffled batches of float32 slices."""
        import covid_datasets

        rows = covid_datasets.load_dataset(
            "mosmed", "slices", split="all", framework="numpy", cache_dir=prepared, allow_missing=True
        )
        return SliceBatches(rows)

    def build_table(self, parquet: Path, out: Path) -> None:
        """W5: write the rows as a build of pictures stores its metadata."""
        from peerbench.contenders import _table

        _table.write_build(parquet, out)

    def count_by_label(self, prepared: Path) -> dict[str, int]:
        """W5: rows per label under a condition, by `search`."""
        from peerbench.contenders import _table

        counts: dict[str, int] = _table.count_by_label(prepared)
        return counts

    def patient_split(self, prepared: Path) -> dict[str, int]:
        """W5: rows per split and label, of what `search` finds."""
        from peerbench.contenders import _table

        counts: dict[str, int] = _table.patient_split(prepared)
        return counts


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


CONTENDERS = {"": Default, "threads": Threads, "bytes": Bytes, "hf": HuggingFaceForm}
