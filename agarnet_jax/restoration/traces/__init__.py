"""What pixels tell of how they were compressed, and were before."""
