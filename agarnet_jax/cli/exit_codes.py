"""How the `agarnet` command ends, besides 0 and, where a signal ended it, 128 and its number."""

SOME_FAILED = 1  # of several files
BAD_INPUT = 2  # or a command that cannot be used
BROKEN_PIPE = 128 + 13  # as shells report SIGPIPE
