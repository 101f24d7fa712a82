"""What images go through before they reach us; one file an idea."""
