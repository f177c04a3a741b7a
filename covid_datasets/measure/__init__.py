"""What pixels and voxels say: one decode gives hashes, look, quality and geometry."""
