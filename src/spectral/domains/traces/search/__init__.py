"""Finding traces, adding them up, and giving them away again."""
