"""This library as a contender of the peer benchmark: W1 to W7."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from peerbench.api import BATCH, SEED, SIZE, SLICE_BATCH, Contender, NotApplicable, Record

if TYPE_CHECKING:
    import numpy as np
    import torch


class CovidDatasets(Contender):
    """The whole way: metadata joined, every byte hashed, every image decoded and judged, splits audited."""

    imports = "import covid_datasets"
    warm = (
        "import covid_datasets.prepare.engine, covid_datasets.load.verify, openpyxl, pyarrow.compute\n"
        "from covid_datasets.load.fixed import make\n"
        "try: import duckdb, covid_datasets.load.search, peerbench.contenders._table\n"
        "except ImportError: pass"
    )
    verify_mode: Literal["full", "bytes"] = "full"
    framework = "numpy"
    threads = False
    draft = False

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

    def decode_loader(self, prepared: Path, workers: int) -> Iterable[torch.Tensor]:
        """W3: decoded by threads, nothing stored."""
        import covid_datasets

        (source,) = (path.name for path in (prepared / "prepared").iterdir() if not path.name.startswith("."))
        rows = covid_datasets.load_dataset(
            source, split="all", framework="numpy", cache_dir=prepared, allow_missing=True
        )
        return Images(
            covid_datasets.to_torch(
                rows,
                image_size=SIZE,
                batch_size=BATCH,
                seed=SEED,
                dtype="uint8",
                materialise=False,
                threads=max(1, workers),
                draft=self.draft,
            )
        )


class Images:
    """The images of batches, pass after pass."""

    def __init__(self, batches: Iterable[dict[str, torch.Tensor]]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[torch.Tensor]:
        return (batch["image"] for batch in self._batches)


class Default(CovidDatasets):
    """The default, and volumes, for which threads, hashes and frameworks change nothing."""

    def build_volumes(self, files: Sequence[Path], out: Path) -> None:
        """W6: the slices of volumes of one's own, and the view of them that batches are gathered from."""
        import covid_datasets

        for file in files:
            folder = out / "raw" / file.name.partition(".")[0]
            folder.mkdir(parents=True)
            (folder / file.name).symlink_to(file.resolve())
        source = covid_datasets.OwnData(out / "raw", patient_level=1, modality="CT")
        covid_datasets.build_dataset(source, "slices", cache_dir=out, verify=self.verify_mode)
        next(iter(self.slice_loader(out)))

    def slice_loader(self, prepared: Path) -> Iterable[torch.Tensor]:
        """W6: shuffled batches of float32 slices, in Hounsfield units."""
        import covid_datasets

        source = covid_datasets.OwnData(prepared / "raw", patient_level=1, modality="CT")
        rows = covid_datasets.load_dataset(source, "slices", split="all", framework="numpy", cache_dir=prepared)
        side = rows[0]["image"].shape
        return Images(covid_datasets.to_torch(rows, image_size=side, batch_size=SLICE_BATCH, stored="int16"))

    def build_fixed(self, images: np.ndarray, out: Path) -> None:
        """W4: the images as files of one's own, a build of these, and the view of it that batches are gathered from."""
        from PIL import Image

        import covid_datasets

        for number, image in enumerate(images):
            folder = out / "raw" / f"{number % 100:02}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:06}.png", compress_level=0)
        source = covid_datasets.OwnData(out / "raw", patient_level=1)
        covid_datasets.build_dataset(source, cache_dir=out, verify="bytes")
        next(iter(self.fixed_loader(out, 0, as_float=False)))

    def fixed_loader(self, prepared: Path, workers: int, as_float: bool) -> Iterable[torch.Tensor]:
        """W4: one thread, whatever the number of workers: there is nothing to decode."""
        import covid_datasets

        source = covid_datasets.OwnData(prepared / "raw", patient_level=1)
        rows = covid_datasets.load_dataset(source, split="all", framework="numpy", cache_dir=prepared, verify="bytes")
        options = {"dtype": "float32", "mean": 0.5, "std": 0.25} if as_float else {"dtype": "uint8"}
        return Images(covid_datasets.to_torch(rows, image_size=SIZE, batch_size=BATCH, seed=SEED, **options))

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


class Draft(Contender):
    """W3 with JPEGs reduced while they are decoded."""

    imports = CovidDatasets.imports
    warm = CovidDatasets.warm
    shares = "covid_datasets"

    def decode_loader(self, prepared: Path, workers: int) -> Iterable[torch.Tensor]:
        """W3: as the default, and pixels differ slightly."""
        loader = CovidDatasets()
        loader.draft = True
        return loader.decode_loader(prepared, workers)


CONTENDERS = {"": Default, "threads": Threads, "bytes": Bytes, "hf": HuggingFaceForm, "draft": Draft}
