"""Reference models: how they are built, trained, measured and asked."""
