"""What automated runs are told and tell: compute types, who started them, their results."""
