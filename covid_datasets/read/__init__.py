"""Bytes to values, and the builders' toolkit: all that a builder imports. Knows files, and no source."""
