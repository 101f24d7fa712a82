"""What frozen configuration dataclasses share: plain values in, plain values out.

Values are checked against the annotations of the fields: int, float, bool, str, enums, tuples of
these, and further dataclasses.
"""

import dataclasses
import difflib
import enum
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=enum.Enum)

_IN_WORDS = {int: "an integer", float: "a number", bool: "True or False", str: "a string"}


class Config:
    """A base of frozen dataclasses whose fields are checked when one is made.

    They take plain values too: an enum's value as a string, a list for a tuple.
    """

    def __post_init__(self) -> None:
        for name, kind in field_types(type(self)).items():
            value = _typed(kind, getattr(self, name), f"{type(self).__name__}.{name}")
            object.__setattr__(self, name, value)


def require(config: Any, words: str, holds: Callable[[Any], bool], *names: str) -> None:
    """Checks fields of a configuration.

    Args:
      config: the dataclass.
      words: what a value must be, for the error.
      holds: whether a value is that.
      names: of the fields.

    Raises:
      ValueError: a value is not; names the first such field.
    """
    for name in names:
        value = getattr(config, name)
        if not holds(value):
            raise ValueError(f"{type(config).__name__}.{name} is {value}; it must be {words}.")


def field_types(kind: type) -> dict[str, Any]:
    """Returns the type of every field of a dataclass, by name."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def from_plain(kind: type, plain: Any, *, path: str = "") -> Any:
    """Makes a dataclass of the given type, also of dataclasses; the inverse of `to_plain`.

    Fields that `plain` does not name keep their defaults; `path` leads to it in messages.

    Raises:
      ValueError: a key that is no field, a value of another type than its field, or what the
        dataclasses' own checks raise. The message is one line with the whole path.
    """
    return kind(**typed_fields(field_types(kind), plain, path=path or kind.__name__))


def typed_fields(kinds: Mapping[str, Any], plain: Any, *, path: str) -> dict[str, Any]:
    """Converts the values of `plain` to the types that `kinds` says; raises as `from_plain`."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{path} is {plain!r}; it is a group of settings: {', '.join(kinds)}.")
    for name in plain:
        if name not in kinds:
            raise ValueError(f"There is no {path}.{name}; {nearest(str(name), kinds)}.")
    return {name: _typed(kinds[name], value, f"{path}.{name}") for name, value in plain.items()}


def nearest(name: str, names: Iterable[str]) -> str:
    """Says which of `names` are most like one that is none of them; if none is, lists them all."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=2)
    return f"nearest: {', '.join(close)}" if close else f"choose one of: {', '.join(names)}"


def member(kind: type[Choice], value: Any, name: str) -> Choice:
    """Returns the member of an enum that a value or member stands for.

    Raises:
      ValueError: none; names what was given as `name`, and what there is.
    """
    try:
        return kind(value)
    except ValueError:
        choices = [str(choice.value) for choice in kind]
        raise ValueError(f"{name} is {value!r}; {nearest(str(value), choices)}.") from None


def _typed(kind: Any, value: Any, path: str) -> Any:
    """Converts a value to the type of an annotation; raises ValueError with its path."""
    if typing.get_origin(kind) is tuple:
        return _typed_tuple(typing.get_args(kind), value, path)
    if dataclasses.is_dataclass(kind):
        return (
            value if type(value) is kind else from_plain(typing.cast(type, kind), value, path=path)
        )
    if issubclass(kind, enum.Enum):
        return member(kind, value, path)
    if kind is float and type(value) is int:
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{path} is {value!r}; it must be {_IN_WORDS.get(kind, kind.__name__)}.")
    return value


def _typed_tuple(kinds: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):  # JSON has no tuples
        raise ValueError(f"{path} is {value!r}; it must be a sequence, such as (1, 2).")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise ValueError(f"{path} is {value!r}; it must have {len(kinds)} elements.")
    pairs = zip(kinds, value)
    return tuple(_typed(kind, item, f"{path}[{i}]") for i, (kind, item) in enumerate(pairs))


def differences(known: Any, asked: Any, path: str) -> Iterator[str]:
    """Yields "{path}.{name} = {known}, not {asked}" for what differs in two plain configs."""
    if isinstance(known, Mapping) and isinstance(asked, Mapping):
        for key in sorted(known.keys() | asked.keys()):
            yield from differences(known.get(key), asked.get(key), f"{path}.{key}")
    elif known != asked:
        yield f"{path} = {known!r}, not {asked!r}"


def to_plain(config: Any) -> Any:
    """Converts a dataclass, also of dataclasses, to a dict for JSON; enums become their values."""
    if dataclasses.is_dataclass(config):
        return {f.name: to_plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    return config.value if isinstance(config, enum.Enum) else config
