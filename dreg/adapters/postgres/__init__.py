"""Postgres with pgvector: connecting, loading a table, the view that readers use, searching."""
