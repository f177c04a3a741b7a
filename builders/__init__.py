"""One small file per source: its raw tree becomes records. The file's name is the source's id."""
