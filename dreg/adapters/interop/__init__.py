"""A split in the form that another library has for data, one module for each of them."""
