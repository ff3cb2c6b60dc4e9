"""Templates recovered from prompts that were made with them."""
