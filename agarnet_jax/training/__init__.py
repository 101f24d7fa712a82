"""Training: tasks, optimizer, state, step and loop."""
