"""W5: the rows of the peers' table, stored as a build stores its rows, and asked by `search`."""

from __future__ import annotations

from pathlib import Path

ROWS_OF_A_BATCH = 5_000
"""About what a batch of 4 MB holds of rows without pictures. With 500, as in a large build of pictures that has 2,000
batches for 1,000,000 rows, a count takes about twice as long."""
STORED = {
    "image_id": "sample_id",
    "source": "dataset",
    "label": "label_raw",
    **{
        name: name for name in ("patient_id", "sex", "age", "modality", "view", "country", "license", "width", "height")
    },
}
"""Column of the peers' table -> ours. Our others are null, and theirs that we have no place for are left out."""


def write_build(parquet: Path, cache: Path) -> None:
    """Write a sealed build without pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from covid_datasets.features import arrow_schema
    from covid_datasets.prepare.inputs import FORMAT
    from covid_datasets.prepare.seal import seal

    folder = cache / "prepared" / "own.table" / "own" / "default" / "0"
    (folder / "train").mkdir(parents=True)
    given, schema = pq.read_table(parquet), arrow_schema()
    theirs = {ours: name for name, ours in STORED.items()}
    with pa.ipc.new_stream(folder / "train" / "data.arrow", schema) as stream:
        for batch in given.to_batches(max_chunksize=ROWS_OF_A_BATCH):
            # Nulls are made for each batch: those of a slice of a struct would be written whole, every time.
            columns = [
                batch[theirs[field.name]].cast(field.type) if field.name in theirs else pa.nulls(len(batch), field.type)
                for field in schema
            ]
            stream.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    (folder / "train" / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    counts = dict.fromkeys(("patients", "groups", "dropped", "lost"), 0) | {"rows": len(given), "seconds": 0.0}
    names = {"id": "own.table", "version": "own", "config": "default", "fingerprint": "", "verify": "full"}
    build = {**names, **counts, "splits": {"train": len(given)}, "labels": {}, "incomplete": False}
    seal(folder, {"inputs": {"format": FORMAT}, "build": build}, {})


def count_by_label(cache: Path) -> dict[str, int]:
    """Count the rows of each label that meet the benchmark's condition."""
    from covid_datasets import search

    found = search(
        "SELECT label_raw, count(*) AS n FROM samples"
        " WHERE age >= 40 AND age < 70 AND sex = 'F' AND modality = 'X-ray' GROUP BY ALL",
        cache_dir=cache,
    )
    return {row["label_raw"]: row["n"] for row in found}


def patient_split(cache: Path) -> dict[str, int]:
    """Count the rows of each split and label, where the benchmark says which patient is in which split."""
    import pyarrow as pa
    from peerbench.api import assign

    from covid_datasets import search

    table = search("SELECT patient_id, label_raw FROM samples", cache_dir=cache).to_arrow()
    ids = table["patient_id"].combine_chunks().dictionary_encode()
    patients = ids.dictionary.to_pylist()
    splits = assign(patients)
    names = pa.array([splits[patient] for patient in patients]).dictionary_encode()
    placed = pa.table({"split": names.cast(pa.string()).take(ids.indices), "label": table["label_raw"]})
    rows = placed.group_by(["split", "label"]).aggregate([([], "count_all")]).to_pylist()
    return {f"{row['split']}/{row['label']}": row["count_all"] for row in rows}
