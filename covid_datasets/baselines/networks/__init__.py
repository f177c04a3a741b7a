"""Networks for classification by name, in full or reduced width, with random or given weights."""
