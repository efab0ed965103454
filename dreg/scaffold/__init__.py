"""New datasets and registries from templates, and datasets brought up to their template."""
