"""Whether every release can be fetched as it was made: tags, manifests, objects."""
