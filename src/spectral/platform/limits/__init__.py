"""How much a caller may ask, counted across processes."""
