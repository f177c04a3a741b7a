"""Small real DICOM files, in the encodings that sources use."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

SERIES, STUDY, PATIENT = "1.2.3", "1.2", "P1"
AXIAL = (1, 0, 0, 0, 1, 0)


def ct(
    hounsfield: np.ndarray,
    position: tuple[float, float, float] = (0.0, 0.0, 0.0),
    *,
    intercept: int = -1024,
    **tags: Any,
) -> bytes:
    """Encode a slice; ``tags`` replace those of a plain axial one, ``None`` removes a tag."""
    found = Dataset()
    rows, columns = hounsfield.shape
    number = round(position[2] * 100) % 10**6
    plain: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"{SERIES}.{number}",
        "SeriesInstanceUID": SERIES,
        "StudyInstanceUID": STUDY,
        "PatientID": PATIENT,
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "InstanceNumber": number + 1,
        "ImagePositionPatient": list(position),
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": [0.7, 0.7],
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "RescaleSlope": 1,
        "RescaleIntercept": intercept,
        "PixelData": (hounsfield.astype(np.int32) - intercept).astype("<i2").tobytes(),
    }
    for name, value in (plain | tags).items():
        if value is not None:
            setattr(found, name, value)
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


def jpeg_lossless(data: bytes) -> bytes:
    """Compress the pixels of a file as JPEG Lossless."""
    import gdcm

    with tempfile.TemporaryDirectory() as name:
        plain, packed = Path(name) / "plain.dcm", Path(name) / "packed.dcm"
        plain.write_bytes(data)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(plain))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(packed))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        return packed.read_bytes()
