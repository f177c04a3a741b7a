"""From a card to its raw files: downloaded, mirrored or the user's own, and read in place."""
