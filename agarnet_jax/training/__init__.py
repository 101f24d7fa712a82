"""Training: tasks, optimizer, state, compiled steps and the loop."""
