"""What people decide for their workspace's workflows: secrets, networks, retention, what runs remember."""
