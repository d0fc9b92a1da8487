# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of policies as a YAML file: ``schema``, and ``control`` with the fields of a dataclass of numbers."""

from __future__ import annotations

from dataclasses import fields
from functools import partial

from tokenlink.files.settings import read_settings

SCHEMA_VERSION = 1


def load_settings(path, kind: type, error: type):
    """Settings of a file; of None the defaults.

    Parameters
    ----------
    path : Path, str or None
    kind : type    the dataclass, all of whose fields have defaults
    error : type   SettingError of these settings

    Raises
    ------
    SettingError   unreadable file, unknown field, value out of range
    """
    return kind() if path is None else read_settings(path, partial(_parse, kind, error), error)


def _parse(kind, error, raw):
    require, names = error.require, {entry.name for entry in fields(kind)}
    require(isinstance(raw, dict), "document", raw, "a mapping")
    require(set(raw) == {"schema", "control"}, "fields", sorted(map(str, raw)), "schema and control")
    schema, control = raw["schema"], raw["control"]
    require(type(schema) is int and schema == SCHEMA_VERSION, "schema", schema, str(SCHEMA_VERSION))
    require(isinstance(control, dict), "control", control, "a mapping")
    unknown = sorted(map(str, set(control) - names))
    require(not unknown, "unknown fields of control", unknown, f"among {', '.join(sorted(names))}")
    for name, value in control.items():
        require(type(value) in (int, float), name, value, "a number")
    return kind(**control)
