"""Training: one loop, whose runs go on where they were stopped, and what a run leaves behind."""
