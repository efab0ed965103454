"""Releases as one file, for places without a network between them."""
