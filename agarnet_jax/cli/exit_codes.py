"""Exit codes of the `agarnet` command, besides 0 and 128 + the number of a signal."""

SOME_FAILED = 1  # some of several files
BAD_INPUT = 2  # also a command line that cannot be used
BROKEN_PIPE = 128 + 13  # as shells report SIGPIPE
