"""What a model looked at: maps of attention, and how much of it lies in lungs, lesions and zones."""
