"""Features that have a name: what they are of each image, and how much a model rests on each group of them."""
