"""Vectors of a release in Postgres: loading, serving, going back, searching."""
