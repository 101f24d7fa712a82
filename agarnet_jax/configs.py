"""Base of frozen configuration dataclasses: type checks, and conversion from and to plain values.

Values are checked against the annotations of the fields: int, float, bool, str, enums, tuples of
these, and nested dataclasses.
"""

import dataclasses
import difflib
import enum
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

EnumT = TypeVar("EnumT", bound=enum.Enum)

_TYPE_DESCRIPTIONS = {int: "an integer", float: "a number", bool: "True or False", str: "a string"}


class Config:
    """Base of frozen dataclasses that check the types of their fields when constructed.

    Fields also accept plain values: an enum's value as a string, a list for a tuple.
    """

    def __post_init__(self) -> None:
        for name, field_type in field_types(type(self)).items():
            value = _convert(field_type, getattr(self, name), f"{type(self).__name__}.{name}")
            object.__setattr__(self, name, value)


def require(config: Any, requirement: str, is_valid: Callable[[Any], bool], *names: str) -> None:
    """Checks the values of fields of a configuration.

    Args:
      config: the dataclass.
      requirement: the condition in words, for the message "… must be {requirement}".
      is_valid: whether a value meets the condition.
      names: the fields to check.

    Raises:
      ValueError: a value is invalid; the message names the first such field.
    """
    for name in names:
        value = getattr(config, name)
        if not is_valid(value):
            raise ValueError(
                f"{type(config).__name__}.{name} is {value}; it must be {requirement}."
            )


def field_types(cls: type) -> dict[str, Any]:
    """Returns the type of every field of a dataclass, by name."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def from_plain(cls: type, plain: Any, *, path: str = "") -> Any:
    """Constructs a dataclass, and those nested in it, from dicts; the inverse of `to_plain`.

    Fields missing in `plain` keep their defaults. `path` is the prefix of field names in messages.

    Raises:
      ValueError: a key is not a field, a value does not have its field's type, or a check of the
        dataclass itself failed. The message is one line and has the full path.
    """
    return cls(**typed_fields(field_types(cls), plain, path=path or cls.__name__))


def typed_fields(types: Mapping[str, Any], plain: Any, *, path: str) -> dict[str, Any]:
    """Converts each value of `plain` to its type in `types`; raises as `from_plain`."""
    if not isinstance(plain, Mapping):
        raise ValueError(
            f"{path} is {plain!r}; it must be a group of settings: {', '.join(types)}."
        )
    for name in plain:
        if name not in types:
            raise ValueError(f"There is no {path}.{name}; {nearest(str(name), types)}.")
    return {name: _convert(types[name], value, f"{path}.{name}") for name, value in plain.items()}


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns "nearest: …" with the names similar to `name`, or "choose one of: …" with all."""
    names = list(names)
    close = difflib.get_close_matches(name, names, n=2)
    return f"nearest: {', '.join(close)}" if close else f"choose one of: {', '.join(names)}"


def member(enum_type: type[EnumT], value: Any, name: str) -> EnumT:
    """Returns the member of an enum given by a member or its value.

    Raises:
      ValueError: there is no such member; the message has `name`, the value and the choices.
    """
    try:
        return enum_type(value)
    except ValueError:
        choices = [str(choice.value) for choice in enum_type]
        raise ValueError(f"{name} is {value!r}; {nearest(str(value), choices)}.") from None


def _convert(annotation: Any, value: Any, path: str) -> Any:
    """Converts a value to the annotated type; raises ValueError with the value's path."""
    if typing.get_origin(annotation) is tuple:
        return _convert_tuple(typing.get_args(annotation), value, path)
    if dataclasses.is_dataclass(annotation):
        cls = typing.cast(type, annotation)
        return value if type(value) is cls else from_plain(cls, value, path=path)
    if issubclass(annotation, enum.Enum):
        return member(annotation, value, path)
    if annotation is float and type(value) is int:
        return float(value)
    if not isinstance(value, annotation) or (isinstance(value, bool) and annotation is not bool):
        description = _TYPE_DESCRIPTIONS.get(annotation, annotation.__name__)
        raise ValueError(f"{path} is {value!r}; it must be {description}.")
    return value


def _convert_tuple(annotations: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list):  # JSON has no tuples
        raise ValueError(f"{path} is {value!r}; it must be a sequence, such as (1, 2).")
    if annotations[-1] is Ellipsis:
        annotations = annotations[:1] * len(value)
    if len(value) != len(annotations):
        raise ValueError(f"{path} is {value!r}; it must have {len(annotations)} elements.")
    return tuple(
        _convert(annotation, item, f"{path}[{i}]")
        for i, (annotation, item) in enumerate(zip(annotations, value))
    )


def differences(saved: Any, requested: Any, path: str) -> Iterator[str]:
    """Yields "{path}.{name} = {saved}, not {requested}" for differences of two plain configs."""
    if isinstance(saved, Mapping) and isinstance(requested, Mapping):
        for key in sorted(saved.keys() | requested.keys()):
            yield from differences(saved.get(key), requested.get(key), f"{path}.{key}")
    elif saved != requested:
        yield f"{path} = {saved!r}, not {requested!r}"


def to_plain(config: Any) -> Any:
    """Converts a dataclass, and those nested in it, to dicts for JSON; enums become values."""
    if dataclasses.is_dataclass(config):
        return {f.name: to_plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    return config.value if isinstance(config, enum.Enum) else config
