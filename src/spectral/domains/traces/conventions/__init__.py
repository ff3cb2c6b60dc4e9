"""How instrumentations name things: one module per convention."""
