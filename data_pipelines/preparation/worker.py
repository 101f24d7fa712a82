"""Worker process of a local run: Beam's worker, but it logs only errors and exits with its parent.

    python -m data_pipelines.preparation.worker LOCKED_FILE

The parent holds an exclusive lock on LOCKED_FILE for as long as it runs.
"""

import fcntl
import logging
import os
import sys
import threading

from data_pipelines.preparation.quiet_beam import sdk_worker_main


def exit_after_unlock(path: str) -> None:
    """Exits this process once the exclusive lock on `path` is released, for whatever reason.

    Beam's workers would finish their current work, in a folder that the next run deletes.
    """
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
    finally:
        os._exit(0)  # not a failure of the worker


if __name__ == "__main__":
    threading.Thread(target=exit_after_unlock, args=(sys.argv[1],), daemon=True).start()
    logging.getLogger(sdk_worker_main.__name__).setLevel(logging.ERROR)
    sdk_worker_main.main(sys.argv)
