"""How volumes, series and videos are read, and how a part of one is encoded. Knows files, and no source."""
