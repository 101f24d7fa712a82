"""Training: tasks, optimizer, state, sharding, step and loop."""
