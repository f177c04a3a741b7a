"""A local page over everything that is built: what one asks of the rows, what they show, and who may see it."""
