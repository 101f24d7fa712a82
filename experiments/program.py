"""How every program of this folder starts."""

from collections.abc import Callable

from absl import app, flags, logging


def start(main: Callable[[], None]) -> None:
    """Parses the flags and runs `main`; leftover arguments are a usage error.

    Logs warnings only, since Orbax tells at INFO of every file it renames; --verbosity=0 asks
    for that.
    """

    def checked(argv: list[str]) -> None:
        if len(argv) > 1:
            raise app.UsageError(f"Unexpected arguments: {argv[1:]}; every setting is a --flag.")
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        main()

    app.run(checked)
