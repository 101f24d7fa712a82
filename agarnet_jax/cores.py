"""How many cores there are for this process."""

import os


def available() -> int:
    """Cores that this process may run on, where the system tells; else those of the machine."""
    of_process = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(of_process(0)) if of_process else os.cpu_count() or 1
