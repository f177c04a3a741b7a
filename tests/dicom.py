"""Small real DICOM files, in the encodings that sources use."""

from __future__ import annotations

import importlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

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
    return written(plain | tags)


def radiograph(pixels: np.ndarray, **tags: Any) -> bytes:
    """Encode a film of 8 or 16 bits; ``tags`` replace those of a plain one, ``None`` removes a tag."""
    bits = 8 * pixels.dtype.itemsize
    plain: dict[str, Any] = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": f"{SERIES}.9",
        "SeriesInstanceUID": SERIES,
        "StudyInstanceUID": STUDY,
        "PatientID": PATIENT,
        "PatientAge": "078Y",
        "PatientSex": "F",
        "Modality": "DX",
        "ViewPosition": "PA",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "ImagerPixelSpacing": [0.15, 0.14],
        "Manufacturer": "Maker",
        "ManufacturerModelName": "Wall",
        "KVP": 120,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": 0,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "PixelData": pixels.tobytes() + b"\0" * (pixels.nbytes % 2),
    }
    return written(plain | tags)


def written(tags: dict[str, Any], syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Write a file with these elements, without those that are ``None``."""
    found = Dataset()
    for name, value in tags.items():
        if value is not None:
            setattr(found, name, value)
    if found.get("BitsAllocated") == 8 and "PixelData" in found:
        found["PixelData"].VR = "OB"
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    out = io.BytesIO()
    found.save_as(out, enforce_file_format=True)
    return out.getvalue()


def compressed(data: bytes, syntax: str, frame: bytes | None = None) -> bytes:
    """Compress the pixels of a file of unsigned values; ``frame`` takes the place of what an encoder would give."""
    found = pydicom.dcmread(io.BytesIO(data))
    if syntax == RLELossless:
        found.compress(RLELossless, generate_instance_uid=False)
        if frame is not None:
            found.PixelData = encapsulate([frame])
    else:
        if frame is None:
            codecs: Any = importlib.import_module("imagecodecs")
            pixels, bits = found.pixel_array, found.BitsStored
            ways = {
                JPEGBaseline8Bit: lambda: codecs.jpeg8_encode(pixels, level=95),
                JPEGLosslessSV1: lambda: codecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits),
                JPEGLSLossless: lambda: codecs.jpegls_encode(pixels),
                JPEG2000Lossless: lambda: codecs.jpeg2k_encode(
                    pixels, codecformat="j2k", reversible=True, bitspersample=bits
                ),
            }
            frame = ways[syntax]()
        found.file_meta.TransferSyntaxUID = syntax
        found.PixelData = encapsulate([frame])
        found["PixelData"].VR = "OB"
        found["PixelData"].is_undefined_length = True
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
