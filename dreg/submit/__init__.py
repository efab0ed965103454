"""Handing a run to a cluster, and looking after it."""
