"""A URL to a verified file: resumed, compared, kept. Knows no card."""
