"""From a card to verified raw files: download, mirror, archives read in place."""
