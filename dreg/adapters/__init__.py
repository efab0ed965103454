"""Every contact with the outside, one module per neighbour."""
