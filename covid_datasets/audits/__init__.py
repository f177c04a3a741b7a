"""Anybody's pictures and splits: who and what is in two parts, also cropped, turned, inverted or put into figures."""
