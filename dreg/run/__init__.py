"""Running pipelines in the order their datasets need each other."""
