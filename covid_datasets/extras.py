"""Optional dependencies: one check, one message, with the line that installs what is missing."""

from __future__ import annotations

from importlib.util import find_spec

from covid_datasets.errors import MissingExtraError

EXTRAS = {
    "array_record": "array_record",
    "av": "video",
    "cv2": "audit",
    "datasets": "hf",
    "distributed": "dask",
    "duckdb": "search",
    "gdcm": "dicom",
    "google_crc32c": "tfrecord",
    "idc_index_data": "idc",
    "isal": "volumes",
    "monai": "monai",
    "nibabel": "volumes",
    "pandas": "pandas",
    "pydicom": "dicom",
    "pypdf": "figures",
    "s3fs": "s3",
    "safetensors": "baselines",
    "sklearn": "audit",
    "starlette": "browse",
    "scipy": "segment",
    "tensorflow": "tf",
    "tensorflow_datasets": "tf",
    "threadpoolctl": "audit",
    "torch": "torch",
    "torchio": "torchio",
    "uvicorn": "browse",
}
"""Import name -> extra of this package."""


def is_installed(module: str) -> bool:
    """Tell whether a module can be imported, without doing so.

    >>> is_installed("json"), is_installed("no_such_module")
    (True, False)
    """
    return find_spec(module) is not None


def need(*modules: str) -> None:
    """Raise for all missing modules at once, before any is imported.

    >>> need("json")
    """
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        extras = ",".join(sorted({EXTRAS.get(module, module) for module in missing}))
        raise MissingExtraError(
            f"{', '.join(missing)} is not installed; this call needs it. "
            f"Install it with: pip install 'covid_datasets[{extras}]'"
        )
