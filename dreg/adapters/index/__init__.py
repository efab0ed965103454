"""The sample index: written sorted, read again, compared with another one."""
