"""Getting exactly the bytes of a release, and knowing which newer ones there are."""
