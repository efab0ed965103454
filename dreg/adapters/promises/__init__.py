"""Reading the data for promises that a profile cannot tell: which samples break them."""
