"""Anybody's pictures and splits, looked at thoroughly: copies that were cropped, turned, inverted or put together."""
