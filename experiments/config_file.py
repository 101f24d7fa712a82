"""Reads `--config=FILE`; what is wrong with the file or its overrides is said on one line."""

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
    """A parser for the flag that `config_flags.DEFINE_config_file` defines under the name "config".

    Raises `flags.Error` for a file that cannot be read, that sets what there is not or a value of
    another type, and for an override `--config.KEY=VALUE` on the command line of an unknown KEY.
    """

    def parse(self, argument: str) -> ml_collections.ConfigDict:
        path, *options = argument.split(":", 1)
        config = _load(path, options)
        seen = set()
        for flag in sys.argv[1:]:
            if override := re.match(r"--?(?:no)?config\.([^=]+)", flag):
                value = _value(config, override[1])
                if isinstance(value, tuple) and override[1] in seen:  # would be added to the first
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
        logging.info("What led to the message below:", exc_info=True)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f", line {at.lineno}" for at in frames if at.filename == spec.origin]
        # Leaves out all settings of the group, which ml_collections lists before its suggestion.
        text = re.sub(r"Other fields present:.*?(?=Did you mean|$)", "", f"{error}", flags=re.S)
        raise flags.Error(f"{path}{''.join(lines[-1:])}: {text}") from None


def _value(config: ml_collections.ConfigDict, key: str) -> Any:
    """Looks up a dotted key; raises `flags.Error` if there is none."""
    group, names = config, key.split(".")
    for depth, name in enumerate(names):
        if not isinstance(group, ml_collections.ConfigDict):
            raise flags.Error(f"config.{'.'.join(names[:depth])} is one value; it has no {name!r}.")
        if name not in group:
            close = difflib.get_close_matches(key, list(setting_names(config)), n=2)
            hint = f"nearest: {', '.join(close)}" if close else nearest(name, group)
            raise flags.Error(f"There is no config.{key}; {hint}.")
        group = group[name]
    return group


def setting_names(config: ml_collections.ConfigDict, prefix: str = "") -> Iterator[str]:
    """Lists the dotted name of every setting, such as "train.steps"."""
    for name, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from setting_names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
