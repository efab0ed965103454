"""`dreg.load` and what it gives."""
