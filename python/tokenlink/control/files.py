# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller files: weights and thresholds of all policies as YAML, with what they are made for."""

import re
from dataclasses import asdict, fields, replace
from importlib import resources

import yaml

from tokenlink.control.policy_base import ControlConfig
from tokenlink.files.settings import SettingError, read_settings, shipped_or
from tokenlink.files.writing import write_text

SCHEMA_VERSION = 1
DEFAULT_CONTROLLER = "twist_controller.yaml"
BY_HAND = "by_hand.yaml"
_HASHES = {"codebook": "codes_sha256", "group_map": "group_map_sha256"}
_VALUES = [entry.name for entry in fields(ControlConfig) if entry.type in (int, float)]
_LATER = {name for name in _VALUES if name.startswith("aware_")}  # files written before twin-aware lack them


class ControllerError(SettingError):
    """A controller file that cannot be used; the message names the field, the value and the legal range."""

    what = "controller"


_require = ControllerError.require


def shipped_controller(name=DEFAULT_CONTROLLER):
    """Path of a controller file that ships."""
    return resources.files("tokenlink.control") / "tables" / name


def load_controller(path=None):
    """Read and validate a controller file; without a path, the one that ships.

    Parameters
    ----------
    path : str, Path or None   a bare word such as "prior": the one that ships under this name

    Returns
    -------
    ControlConfig   with the hashes of the codebook and the group map it is made for

    Raises
    ------
    ControllerError   unreadable file, unknown or missing field, value out of range
    """
    at = shipped_controller() if path is None else shipped_or(path, "tokenlink.control")
    config = read_settings(at, parse_controller, ControllerError)
    return replace(config, source=str(path or DEFAULT_CONTROLLER))


def parse_controller(raw):
    """ControlConfig of the plain values of a YAML controller file; raises ValueError."""
    _require(isinstance(raw, dict), "document", raw, "a mapping")
    _same_keys("fields", set(raw) - {"provenance", *_HASHES}, {"schema", "control"})
    schema, control = raw["schema"], raw["control"]
    _require(type(schema) is int and schema == SCHEMA_VERSION, "schema", schema, str(SCHEMA_VERSION))
    _require(isinstance(control, dict), "control", control, "a mapping")
    _same_keys("fields of control", set(control) | _LATER, set(_VALUES))
    for name, value in control.items():
        _require(isinstance(value, int | float) and not isinstance(value, bool), name, value, "a number")
    hashes = {_HASHES[name]: raw.get(name, "") for name in _HASHES}
    for name, value in hashes.items():
        is_hash = isinstance(value, str) and re.fullmatch("[0-9a-f]{64}|", value)
        _require(is_hash, name, value, "64 hexadecimal digits, quoted")
    return ControlConfig(**control, **hashes)


def _same_keys(what, given, expected):
    """Say which are missing and which are too many, however many are right."""
    missing, unknown = sorted(expected - given), sorted(map(str, given - expected))
    _require(not missing, f"missing {what}", missing, "there")
    _require(not unknown, f"unknown {what}", unknown, f"among {', '.join(sorted(expected))}")


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
    write_text(path, text)


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


def check_modes(control, table):
    """Refuse a controller of another codebook or group map, and mode numbers that the mode table does not have.

    Parameters
    ----------
    control : ControlConfig
    table : ModeTable

    Raises
    ------
    ValueError   names the field, its value and the legal range
    """
    check_controller(control, table)
    names = ", ".join(f"{mode.mode_id} {mode.name}" for mode in table.modes)
    for entry in fields(control):
        value = getattr(control, entry.name)
        if entry.name.endswith("_mode") and value not in range(len(table.modes)):
            legal = f"0 to {len(table.modes) - 1}: the mode table has {names}"
            raise ValueError(f"{entry.name} is {value}, expected {legal}")
