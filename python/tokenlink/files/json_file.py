# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON files that somebody else may have written: one mapping, of bounded size, without numbers that are none."""

from __future__ import annotations

import json
from pathlib import Path

MAX_BYTES = 2**20


def read_json(path, max_bytes=MAX_BYTES):
    """The mapping in a JSON file.

    Parameters
    ----------
    path : str or Path
    max_bytes : int   a longer file is refused before it is read whole

    Returns
    -------
    dict   of None, bool, int, float, str, list and dict

    Raises
    ------
    FileNotFoundError   there is none
    ValueError          it cannot be read, is too long or too deep, or holds something else; the message names the file
    """
    try:
        with open(Path(path), "rb") as file:
            raw = file.read(max_bytes + 1)
        if len(raw) > max_bytes:
            raise ValueError(f"it has more than {max_bytes} bytes")
        content = json.loads(raw.decode(), parse_constant=_refuse)
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, expected a mapping")
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not usable JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{path} is not usable JSON: it is too deep") from None
    return content


def _refuse(name):
    raise ValueError(f"{name} is no number of JSON")
