"""Processes that begin where another has done its imports: a server has imported what is needed, and forks."""
