"""Releases that should no longer be chosen, and why."""
