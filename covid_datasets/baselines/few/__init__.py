"""A few labels of an unseen hospital: what a model that was trained elsewhere makes of them."""
