"""What a workspace decides about its traces, and how they go."""
