"""How a run moves: states, the scheduler, segments, waits and checkpoints."""
