"""Checks of options, each with a message that names the field."""


def check_share(owner: object, *names: str) -> None:
    """Raises ValueError unless the named fields of a dataclass are in 0–1."""
    for name in names:
        value = getattr(owner, name)
        if not 0 <= value <= 1:
            raise ValueError(f"{type(owner).__name__}.{name} is {value}, not in 0–1.")


def check_at_least(owner: object, **smallest: float) -> None:
    """Raises ValueError if a named field of a dataclass is below the number given for it."""
    for name, least in smallest.items():
        value = getattr(owner, name)
        if not value >= least:
            raise ValueError(f"{type(owner).__name__}.{name} is {value}; it must be >= {least}.")
