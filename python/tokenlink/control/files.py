# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller files: weights and thresholds of all policies as YAML, with what they are made for."""

import os
import re
from dataclasses import asdict, fields, replace
from importlib import resources
from pathlib import Path

import yaml

from tokenlink.control.policies import ControlConfig

SCHEMA_VERSION = 1
DEFAULT_CONTROLLER = "twist_controller.yaml"
BY_HAND = "by_hand.yaml"
_HASHES = {"codebook": "codes_sha256", "group_map": "group_map_sha256"}
_VALUES = [entry.name for entry in fields(ControlConfig) if entry.type in (int, float)]


class ControllerError(ValueError):
    """A controller file that cannot be used; the message names the field, the value and the legal range."""


def shipped_controller(name=DEFAULT_CONTROLLER):
    """Path of a controller file that ships."""
    return resources.files("tokenlink.control") / "tables" / name


def load_controller(path=None):
    """Read and validate a controller file; without a path, the one that ships.

    Parameters
    ----------
    path : str, Path or None

    Returns
    -------
    ControlConfig   with the hashes of the codebook and the group map it is made for

    Raises
    ------
    ControllerError   unreadable file, unknown or missing field, value out of range
    """
    name = str(path or DEFAULT_CONTROLLER)
    try:
        raw = yaml.safe_load((shipped_controller() if path is None else Path(path)).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ControllerError(f"controller {name}: {error}") from error
    try:
        return replace(parse_controller(raw), source=name)
    except ValueError as error:
        raise ControllerError(f"controller {name}: {error}") from error


def parse_controller(raw):
    """ControlConfig of the plain structure of a YAML controller file; raises ValueError."""
    if not isinstance(raw, dict):
        raise ValueError(f"document is {type(raw).__name__}, must be a mapping")
    _same_keys("fields", set(raw) - {"provenance", *_HASHES}, {"schema", "control"})
    if type(raw["schema"]) is not int or raw["schema"] != SCHEMA_VERSION:
        raise ValueError(f"schema is {raw['schema']!r}, must be {SCHEMA_VERSION}")
    control = raw["control"]
    if not isinstance(control, dict):
        raise ValueError(f"control is {type(control).__name__}, must be a mapping")
    _same_keys("fields of control", set(control), set(_VALUES))
    for name, value in control.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} is {value!r}, expected a number")
    hashes = {_HASHES[name]: raw.get(name, "") for name in _HASHES}
    for name, value in hashes.items():
        if not (isinstance(value, str) and re.fullmatch("[0-9a-f]{64}|", value)):
            raise ValueError(f"{name} is {value!r}, must be 64 hexadecimal digits, quoted")
    return ControlConfig(**control, **hashes)


def _same_keys(what, given, expected):
    if given != expected:
        raise ValueError(f"{what} are {sorted(map(str, given))}, must be {sorted(expected)}")


def write_controller(path, config, provenance):
    """Write a controller file that `load_controller` reads.

    Parameters
    ----------
    path : Path
    config : ControlConfig
    provenance : dict or str   where the values come from, plain values
    """
    values = asdict(config)
    content = {"schema": SCHEMA_VERSION, "provenance": provenance}
    content |= {name: values[entry] for name, entry in _HASHES.items() if values[entry]}
    text = "# Weights and thresholds of the mode controllers; what each one means: tokenlink.control.ControlConfig.\n"
    text += yaml.safe_dump(content, sort_keys=False, width=118, default_flow_style=None)
    text += yaml.safe_dump({"control": {name: values[name] for name in _VALUES}}, sort_keys=False)
    temporary = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.part")
    temporary.write_text(text)
    os.replace(temporary, path)


def check_controller(config, table):
    """Refuse a controller made for another codebook or group map than the mode table's.

    Parameters
    ----------
    config : ControlConfig
    table : ModeTable

    Raises
    ------
    ControllerError   names both; what does not say what it is made for fits everything
    """
    for what, entry in (("codebook", "codes_sha256"), ("group map", "group_map_sha256")):
        made_for, there = getattr(config, entry), getattr(table, entry)
        if made_for and there and made_for != there:
            raise ControllerError(
                f"controller {config.source} is made for {what} {made_for[:12]}, mode table {table.source} has {what} "
                f"{there[:12]}: run ./twist prepare, or name another with --controller"
            )
