"""Pictures that are drawn instead of downloaded, the same bytes on every machine; see `chest`."""
