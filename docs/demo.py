"""What `make demo` runs: the example of the README."""

from covid_datasets import load_dataset

ds = load_dataset("phantom")
row = ds["train"][0]
print(ds)
print({name: row[name] for name in ("sample_id", "patient_id", "modality", "label", "image")})
