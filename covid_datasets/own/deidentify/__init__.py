"""DICOM files of one's own without what says whose they are: the standard's basic profile, as a list of what stays."""
