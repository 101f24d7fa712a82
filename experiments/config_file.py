"""Reads `--config=FILE`; errors in the file or its overrides become one-line messages."""

import difflib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import ml_collections
from absl import flags, logging

from agarnet_jax.configs import nearest


class ConfigFileParser(flags.ArgumentParser):
    """Parser of the flag "config" that `config_flags.DEFINE_config_file` defines.

    Raises `flags.Error` for a file that cannot be read or that sets an unknown key or a value of
    the wrong type, and for an unknown KEY in an override `--config.KEY=VALUE`.
    """

    def parse(self, argument: str) -> ml_collections.ConfigDict:
        path, *options = argument.split(":", 1)
        config = _load(path, options)
        seen = set()
        for flag in sys.argv[1:]:
            if override := re.match(r"--?(?:no)?config\.([^=]+)", flag):
                value = _look_up(config, override[1])
                # The flag would append a second tuple to the first.
                if isinstance(value, tuple) and override[1] in seen:
                    raise flags.Error(f"--config.{override[1]} is given twice; give it once.")
                seen.add(override[1])
        return config.lock()


def _load(path: str, options: list[str]) -> ml_collections.ConfigDict:
    spec = importlib.util.spec_from_file_location("config", path)
    if spec is None or spec.loader is None:
        raise flags.Error(f"{path!r} is not a configuration file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        return module.get_config(*options)
    except FileNotFoundError as error:
        raise flags.Error(f"There is no configuration file {error.filename!r}.") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        logging.info("Traceback of the error below:", exc_info=True)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f", line {at.lineno}" for at in frames if at.filename == spec.origin]
        # Drops the list of all settings in the group that precedes ml_collections' suggestion.
        text = re.sub(r"Other fields present:.*?(?=Did you mean|$)", "", f"{error}", flags=re.S)
        raise flags.Error(f"{path}{''.join(lines[-1:])}: {text}") from None


def _look_up(config: ml_collections.ConfigDict, key: str) -> Any:
    """Returns the value of a dotted key; raises `flags.Error` if there is none."""
    group, names = config, key.split(".")
    for depth, name in enumerate(names):
        if not isinstance(group, ml_collections.ConfigDict):
            group_name = ".".join(names[:depth])
            raise flags.Error(f"config.{group_name} is a single setting and has no {name!r}.")
        if name not in group:
            close = difflib.get_close_matches(key, list(setting_names(config)), n=2)
            hint = f"nearest: {', '.join(close)}" if close else nearest(name, group)
            raise flags.Error(f"There is no config.{key}; {hint}.")
        group = group[name]
    return group


def setting_names(config: ml_collections.ConfigDict, prefix: str = "") -> Iterator[str]:
    """Yields the dotted name of every setting, such as "train.steps"."""
    for name, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from setting_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
