"""Every fact about the sources: one reader for each kind of file below ``catalogs/``."""
