"""Deleting what no release, branch or lock needs, in two steps."""
