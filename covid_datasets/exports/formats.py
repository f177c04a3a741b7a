"""The formats, by name. Importing this imports none of them, and nothing heavy."""

FORMATS = {
    "array_record": "covid_datasets.exports.array_record",
    "folder": "covid_datasets.exports.folder",
    "hf": "covid_datasets.exports.hf",
    "originals": "covid_datasets.exports.originals",
    "parquet": "covid_datasets.exports.parquet",
    "tfrecord": "covid_datasets.exports.tfrecord",
    "webdataset": "covid_datasets.exports.webdataset",
}
"""Format -> its module, which has ``write(data, folder, *, shard_bytes)`` and ``HOW``: how its files are opened."""
