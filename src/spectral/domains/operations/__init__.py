"""What operations staff see of an installation: its models and its engine, and nothing inside a workspace."""
