"""What a release holds, and bringing its bytes to the remote."""
