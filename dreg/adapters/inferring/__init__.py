"""Looking at files that are to become a dataset: columns and types of tables, classes of images."""
