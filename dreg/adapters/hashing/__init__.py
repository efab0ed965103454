"""Hashes of values, as core.canonical defines them, for whole arrays at once."""
