"""A whole installation in one file, for both databases: taken while the server runs, restored into an empty one."""
