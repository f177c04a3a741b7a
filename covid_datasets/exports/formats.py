"""The formats, by name. Importing this imports none of them, and nothing heavy."""

FORMATS = {
    "folder": "covid_datasets.exports.folder",
    "hf": "covid_datasets.exports.hf",
    "originals": "covid_datasets.exports.originals",
    "parquet": "covid_datasets.exports.parquet",
    "webdataset": "covid_datasets.exports.webdataset",
}
"""Format -> its module, which has ``write(data, folder, *, shard_bytes)`` and ``HOW``: how its files are opened."""
