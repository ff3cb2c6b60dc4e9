"""The optimization loop: from failures to a change set that a holdout has validated."""
