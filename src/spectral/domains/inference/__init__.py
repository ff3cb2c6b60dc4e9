"""The models that a workspace can call: its credentials, its calls, and what they cost."""
