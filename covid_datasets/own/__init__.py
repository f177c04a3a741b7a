"""The builder of data of one's own: class folders, DICOM series, or a table of paths, see `catalog.own.OwnData`."""

from covid_datasets.own.builder import records as records
