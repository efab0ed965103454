"""What changed between two releases, or since the last one."""
