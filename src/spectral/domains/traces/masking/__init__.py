"""What is taken out of spans before anything is stored."""
