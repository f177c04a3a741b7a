"""MLCommons Croissant 1.1 with its fields for responsible AI: sources, builds and exports described as JSON-LD.

Written by hand from what the cards say, so that nothing has to be installed; `check` holds any file against the
specification, more strictly than the validator of MLCommons.
"""
