"""A worker process of a local run: Beam's own, which tells only what goes wrong and never stays
behind.

    python -m data_pipelines.preparation.worker FILE_THAT_THE_PROGRAM_HOLDS_LOCKED
"""

import fcntl
import logging
import os
import sys
import threading

from data_pipelines.preparation.quiet_beam import sdk_worker_main


def leave_after_unlock(path: str) -> None:
    """Ends this process when nobody holds `path` locked any more, however that came about.

    Beam's workers would finish what they are at, into a folder that the next run deletes.
    """
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
    finally:
        os._exit(0)  # it is no failure of the worker


if __name__ == "__main__":
    threading.Thread(target=leave_after_unlock, args=(sys.argv[1],), daemon=True).start()
    logging.getLogger(sdk_worker_main.__name__).setLevel(logging.ERROR)
    sdk_worker_main.main(sys.argv)
