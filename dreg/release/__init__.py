"""Making a release: what it would be, whether it may be, and carrying it out."""
