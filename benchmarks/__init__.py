"""Benchmarks of speed and restoration quality that print tables; see docs/performance.md."""
