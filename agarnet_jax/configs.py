"""What frozen configuration dataclasses share: plain values in, plain values out."""

import dataclasses
import enum
from typing import Any


class Config:
    """Base of frozen dataclasses whose enum fields also take their value as a string."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(field.type, type) and issubclass(field.type, enum.Enum):
                value = self._member(field.name, field.type, value)
            elif isinstance(value, list):  # JSON has no tuples
                value = tuple(value)
            object.__setattr__(self, field.name, value)

    def _member(self, name: str, kind: type[enum.Enum], value: Any) -> enum.Enum:
        try:
            return kind(value)
        except ValueError:
            choices = ", ".join(str(member.value) for member in kind)
            raise ValueError(
                f"{type(self).__name__}.{name} is {value!r}; choose one of: {choices}."
            ) from None


def to_plain(config: Any) -> Any:
    """A dataclass, also of dataclasses, as a dict with enums as their values, fit for JSON."""
    if dataclasses.is_dataclass(config):
        return {f.name: to_plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    return config.value if isinstance(config, enum.Enum) else config
