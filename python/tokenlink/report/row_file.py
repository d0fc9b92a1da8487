# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of a results folder in one small file, and read from either: rows.jsonl.gz, a line a result, sorted."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from tokenlink.files.writing import write_bytes
from tokenlink.study.result_store import StoreError, load_results

ROWS = "rows.jsonl.gz"


def keep_rows(rows: Sequence[dict], setting: dict, source: Path, folder: Path) -> Path:
    """Write rows without what all of them share; the same rows give the same bytes."""
    lines = sorted(json.dumps({key: value for key, value in row.items() if key not in setting}, sort_keys=True)
                   for row in rows)  # fmt: skip
    write_bytes(folder / ROWS, gzip.compress("".join(f"{line}\n" for line in lines).encode(), 9, mtime=0))
    if Path(source).resolve() != Path(folder).resolve():
        shutil.copyfile(Path(source) / "sweep.json", Path(folder) / "sweep.json")
    return folder / ROWS


def kept_or_stored(folder: Path) -> tuple[dict, list[dict]]:
    """What all rows of a folder share, and the rows, each with its configuration; of kept ones without what is shared.

    Raises
    ------
    StoreError   nothing there, damaged files
    """
    folder = Path(folder)
    head = folder / "sweep.json"
    if not head.is_file():
        raise StoreError(f"{folder} holds no sweep.json: is it a results folder?")
    setting = json.loads(head.read_text())
    if (folder / ROWS).is_file() and not (folder / "results").is_dir():
        lines = gzip.decompress((folder / ROWS).read_bytes()).decode().splitlines()
        return setting, [json.loads(line) for line in lines]
    return setting, [result["config"] | result["rows"][0] for result in load_results(folder)]
