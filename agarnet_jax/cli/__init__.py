"""The `agarnet` command."""
