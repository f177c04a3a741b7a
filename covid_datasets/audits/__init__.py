"""Anybody's pictures and splits, looked at thoroughly: copies that were cropped, turned or put into figures."""
