"""The number of CPU cores that this process may use."""

import os


def available() -> int:
    """Returns the number of cores in this process's affinity mask, or of the machine if unknown."""
    get_affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(get_affinity(0)) if get_affinity else os.cpu_count() or 1
