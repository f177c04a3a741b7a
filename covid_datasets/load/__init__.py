"""From a finished build to Hugging Face, NumPy, torch and pandas."""
