"""From a finished build to Hugging Face, NumPy, torch, pandas, MONAI and TorchIO, and to what a search finds."""
