"""MLflow: `recording` writes to a run which data it uses, `reading` finds runs and models again."""
