"""A dataset registry: versions that the data earned, fetched byte for byte."""

__version__ = "0.1.0"
