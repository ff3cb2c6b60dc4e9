"""Sample sets: what an agent is measured on, in three disjoint splits, the last of them frozen."""
