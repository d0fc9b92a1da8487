# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines: a writer that is killed spoils its last line only, and whatever else is wrong is told by line."""

from __future__ import annotations

import json
from pathlib import Path

from tokenlink.files.settings import shortened


class DamagedLine(ValueError):
    """A line in the middle of a file cannot be read; the message names file and line."""


def read_json_lines(path, check=lambda row: isinstance(row, dict)):
    """Rows of a file, and where the last whole one ends.

    Parameters
    ----------
    path : Path
    check : callable   whether a row is one that belongs there

    Returns
    -------
    (list of dict, int)   what a kill left of a last line is left out; one that lacks no more than its end is whole

    Raises
    ------
    DamagedLine   a line with an end that holds something else
    """
    raw = Path(path).read_bytes()
    *lines, rest = raw.split(b"\n")
    rows = []
    for number, line in enumerate(lines, 1):
        if (row := _row(line, check)) is None:
            what = shortened(line[:200].decode(errors="replace"))
            raise DamagedLine(f"{path}, line {number} is damaged: {what}; use a copy of the file, or remove the line")
        rows.append(row)
    if (row := _row(rest, check)) is not None:
        return [*rows, row], len(raw)
    return rows, len(raw) - len(rest)


def _row(line, check):
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return row if check(row) else None
