"""TFRecord: our export beside the writer of TensorFlow Datasets, with the same rows and the same features."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import ROUNDS, in_process, in_turns, median, show

ROWS = """
import io, json, shutil, sys, tempfile, time
from pathlib import Path
import numpy as np, pyarrow as pa
from PIL import Image
from covid_datasets.features import arrow_schema
folder, rows, side = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
def png(number):
    out, noise = io.BytesIO(), np.random.default_rng(number % 64).integers(0, 256, (side, side), np.uint8)
    Image.fromarray(noise).save(out, "PNG", compress_level=1)
    return out.getvalue()
kept = [png(number) for number in range(64)]
whole = arrow_schema()
names = ["sample_id", "image", "label", "label_raw", "sex", "age", "width", "height", "sha256", "source_row"]
features = json.loads(whole.metadata[b"huggingface"])["info"]["features"]
schema = pa.schema([whole.field(name) for name in names],
                   {"huggingface": json.dumps({"info": {"features": {name: features[name] for name in names}}})})
row = {"label": 1, "label_raw": "COVID-19", "sex": "F", "age": 40.0, "width": side, "height": side, "sha256": "0" * 64,
       "source_row": json.dumps({"a": "b" * 200})}
table = pa.Table.from_pylist(
    [row | {"sample_id": f"x/{number}", "image": {"bytes": kept[number % 64], "path": None}} for number in range(rows)],
    schema)
total = sum(len(kept[number % 64]) for number in range(rows)) / 1e6
out = Path(tempfile.mkdtemp(dir=folder))
def end(seconds):
    shutil.rmtree(out)
    print(json.dumps({"rows_per_s": rows / seconds, "mb_per_s": total / seconds}))
"""
OURS = (
    ROWS
    + """
from covid_datasets import export
started = time.perf_counter()
export({"train": table}, "tfrecord", out / "ours", shard_bytes=200 << 20)
end(time.perf_counter() - started)
"""
)
THEIRS = (
    ROWS
    + """
import tensorflow_datasets as tfds
from covid_datasets.catalog.taxonomy import label_names
f = tfds.features
class Theirs(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    def _info(self):
        texts = {name: f.Text() for name in ("sample_id", "label_raw", "sex", "sha256", "source_row")}
        numbers = {"age": f.Scalar(np.float32), "width": f.Scalar(np.int32), "height": f.Scalar(np.int32)}
        image = {"image": f.Image(shape=(None, None, 1)), "label": f.ClassLabel(names=list(label_names()))}
        return tfds.core.DatasetInfo(builder=self, features=f.FeaturesDict(texts | numbers | image))
    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}
    def _generate_examples(self):
        for batch in table.to_batches(1024):
            for row in batch.to_pylist():
                yield row["sample_id"], row | {"image": io.BytesIO(row["image"]["bytes"])}
tfds.disable_progress_bar()
tfds.core.utils.gcs_utils._is_gcs_disabled = True  # asks a bucket first, and waits for it where there is no network
builder = Theirs(data_dir=str(out))
config = tfds.download.DownloadConfig(try_download_gcs=False, compute_stats=tfds.download.ComputeStatsMode.SKIP)
started = time.perf_counter()
builder.download_and_prepare(download_config=config)
end(time.perf_counter() - started)
"""
)


def main() -> None:
    """Measure large records, where bytes count, and small ones, where rows do."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--rows", type=int, default=10_000, help="of 32 × 32 pixels; a tenth of them are large ones")
    options = parser.parse_args()
    for what, rows, side in (("large", options.rows // 10, 512), ("small", options.rows, 32)):
        with tempfile.TemporaryDirectory() as folder:
            arguments = (str(Path(folder)), str(rows), str(side))
            snippets = {"export": OURS, "tensorflow-datasets": THEIRS}
            results = in_turns(
                {name: partial(in_process, code, *arguments) for name, code in snippets.items()}, options.rounds
            )
        print(f"{what}: {rows:,} images of {side} × {side}")
        for name, measured in results.items():
            show(name, measured, "rows_per_s", "rows/s")
            show(name, measured, "mb_per_s", "MB/s")
        ours, theirs = (median(results[name], "rows_per_s") for name in results)
        print(f"  export over tensorflow-datasets: {ours / theirs:.1f} (aim 3)")


if __name__ == "__main__":
    main()
