"""Texts as vectors: the model's files, verified; what makes vectors of texts; and who does it."""
