# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of a sweep on disk: one JSON file per configuration, named by its hash, whole or not there at all.

    sweep.json               what all results share: origin, split, hashes of mode table, controller and models
    results/<hash>.json      {"config": ..., "rows": [row]}; same configuration, same bytes
    results/<hash>.npz       series of runs that keep them
"""

from __future__ import annotations

import json
from pathlib import Path

from tokenlink.files.writing import write_arrays, write_text
from tokenlink.study.plan import content_hash


class StoreError(ValueError):
    """The results folder cannot be used; the message says why."""


class ResultStore:
    """Results folder of one setting.

    Parameters
    ----------
    folder : Path       made if it is not there
    setting : Setting   what the results are about; results of another one are refused

    Raises
    ------
    StoreError   the folder holds results of another setting, or something else
    """

    def __init__(self, folder, setting):
        self.folder = Path(folder)
        self._results = self.folder / "results"
        head = self.folder / "sweep.json"
        expected = json.loads(json.dumps(setting.as_dict()))
        if head.is_file():
            _require_same(self.folder, _read(head), expected)
        elif self.folder.is_dir() and any(self.folder.iterdir()):
            raise StoreError(f"{self.folder} is not empty and holds no sweep.json: name another folder")
        self._results.mkdir(parents=True, exist_ok=True)
        write_text(head, json.dumps(expected, indent=2, sort_keys=True) + "\n")

    def path_of(self, config):
        """Where the result of a configuration lies or will lie."""
        return self._results / f"{content_hash(config)}.json"

    def has(self, config):
        """Whether the result of a configuration is there."""
        return self.path_of(config).is_file()

    def read_row(self, config):
        """The row of a configuration that has a result."""
        return _read(self.path_of(config))["rows"][0]

    def write(self, config, row, series=None):
        """Keep a result; a reader sees all of it or nothing. Series come first: where the JSON is, they are."""
        path = self.path_of(config)
        if series is not None:
            write_arrays(path.with_suffix(".npz"), series)
        write_text(path, json.dumps({"config": config, "rows": [row]}, sort_keys=True, allow_nan=False) + "\n")


def load_results(folder):
    """All results of a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of dict   {"config", "rows", "series"}: `series` is the path of the arrays, or None; in order of the hash

    Raises
    ------
    StoreError   no results there, or a file that is no result
    """
    paths = sorted((Path(folder) / "results").glob("[0-9a-f]*.json"))
    if not paths:
        raise StoreError(f"no results in {folder}: make them with ./twist evaluate --out {folder}")
    results = []
    for path in paths:
        content = _read(path)
        if not {"config", "rows"} <= set(content):
            raise StoreError(f"{path} is no result: it lacks config or rows")
        arrays = path.with_suffix(".npz")
        results.append(content | {"series": arrays if arrays.is_file() else None})
    return results


def _require_same(folder, found, expected):
    found, expected = (_flat(content) for content in (found, expected))
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise StoreError(
                f"{folder} holds results of another configuration: {name} is {found.get(name)} there and "
                f"{expected.get(name)} now; name another folder with --out"
            )


def _flat(content, prefix=""):
    flat = {}
    for name, value in content.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def _read(path):
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise StoreError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise StoreError(f"{path} holds {type(content).__name__}, expected a mapping")
    return content
