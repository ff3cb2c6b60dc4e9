"""What the nodes of a workflow do: one module per kind of work."""
