"""Programs that measure speed and print tables; see docs/performance.md."""
