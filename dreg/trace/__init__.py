"""From a model to its samples, and from a release to its models."""
