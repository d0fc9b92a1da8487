# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of settings: one bounded YAML reader for all of them, and one error that says what is wrong with one."""

from __future__ import annotations

import re
import reprlib
from importlib import resources
from pathlib import Path

import yaml

from tokenlink.files.bounded_yaml import BoundedLoader

MAX_BYTES = 256 * 1024
MAX_MESSAGE, MAX_VALUE = 700, 250


class SettingError(ValueError):
    """A file of settings that cannot be used; the message names file, field, value and what is legal.

    Attributes
    ----------
    field, value, legal : str   as far as they are known, else empty; the value is shortened
    file : str                  empty where the values come from no file
    """

    what = "settings"

    def __init__(self, message, field="", value="", legal="", file=""):
        super().__init__(_cut(message, MAX_MESSAGE))
        self.field, self.value, self.legal, self.file = field, value, legal, file

    @classmethod
    def of(cls, field, value, legal):
        """The error of a field (str) whose value (anything) is not what is legal (str)."""
        value = shortened(value)
        return cls(f"{field} is {value}, must be {legal}", field, value, legal)

    @classmethod
    def require(cls, condition, field, value, legal):
        """Raise the error of a field unless the condition holds."""
        if not condition:
            raise cls.of(field, value, legal)

    @classmethod
    def require_fields(cls, raw, schema, needed, optional=()):
        """Raise the error unless ``raw`` is a mapping of this schema number with all that is needed and no other."""
        cls.require(isinstance(raw, dict), "document", raw, "a mapping")
        known = {"schema", *needed, *optional}
        unknown, missing = sorted(map(str, set(raw) - known)), sorted({"schema", *needed} - set(raw))
        cls.require(not unknown, "field", unknown, f"among {sorted(known)}")
        cls.require(not missing, "missing field", missing, "there")
        cls.require(type(raw["schema"]) is int and raw["schema"] == schema, "schema", raw["schema"], str(schema))

    @classmethod
    def in_file(cls, error, file):
        """The same error, an exception of any kind, with the name of the file before it."""
        known = [getattr(error, name, "") for name in ("field", "value", "legal")]
        return cls(f"{cls.what} {file}: {' '.join(str(error).split())}", *known, str(file))


class _Short(reprlib.Repr):
    def __init__(self):
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 2, 80, 80
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 6

    def repr_int(self, value, level):
        """Beyond a few thousand digits Python itself refuses to write a number."""
        return f"a number of {value.bit_length()} bits" if value.bit_length() > 128 else repr(value)


def shortened(value):
    """A value as text for an error message, however large or deep it is."""
    return _cut(_Short().repr(value), MAX_VALUE)


def _cut(text, length):
    return text if len(text) <= length else f"{text[:length]}..."


def read_settings(path, parse, error_class):
    """What ``parse`` makes of the plain values of a YAML file.

    Parameters
    ----------
    path : str or Path
    parse : callable       takes None, bool, int, float, str, list and dict of these; raises ValueError for what it
                           cannot use
    error_class : type     SettingError or a class of it, which all errors become

    Raises
    ------
    SettingError   unreadable, too large or too deep, no YAML, or refused by ``parse``; it names the file
    """
    try:
        with open(Path(path), "rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise error_class(f"the file has more than {MAX_BYTES} bytes", "size", "", f"{MAX_BYTES} bytes at most")
        return parse(load_yaml(raw.decode()))
    except OSError as error:
        raise error_class.in_file(error.strerror or error, path) from None
    except UnicodeDecodeError as error:
        raise error_class.in_file(f"byte {error.start} is no UTF-8 text", path) from None
    except yaml.YAMLError as error:
        raise error_class.in_file(_sentence(error), path) from None
    except ValueError as error:
        raise error_class.in_file(error, path) from error


def shipped_or(path, package):
    """Where a file of settings is: of a bare word such as "prior" the table of that name that ships with a package,
    if there is one; any other path (str or Path) as it is."""
    if re.fullmatch("[a-z_]+", str(path)):
        shipped = resources.files(package) / "tables" / f"{path}.yaml"
        if shipped.is_file():
            return shipped
    return path


def load_yaml(text):
    """Plain values of a YAML text (str); yaml.YAMLError for what is none, too large, or too deep."""
    loader = BoundedLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _sentence(error):
    if not isinstance(error, yaml.MarkedYAMLError):
        return error
    words = [part for part in (error.context, error.problem) if part]
    mark = error.problem_mark or error.context_mark
    at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{', '.join(words)}{at}"
