"""The fast path: samples of one shape, made once, mapped from disk, and handed out as batches from reused buffers."""
