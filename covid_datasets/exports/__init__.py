"""A loaded dataset -> files that open without this library: TFRecord, Parquet, WebDataset, folders, Croissant."""
