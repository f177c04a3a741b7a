"""What `make demo` runs: the example of the README."""

from covid_datasets import load_dataset

ds = load_dataset("phantom")
print({name: len(rows) for name, rows in ds.items()})
row = ds["train"][0]
print(row["patient_id"], row["modality"], ds["train"].features["label"].int2str(row["label"]), row["image"].size)
