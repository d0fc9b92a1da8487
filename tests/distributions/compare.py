# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between the demo's records of two systems: ``./.venv/bin/python tests/distributions/compare.py A B``.

A and B are run folders, such as FOLDER/results/NAME/demo that check.py leaves. Parts follow the way of a frame, so that
the first one that differs is where the difference comes from.
"""

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

#: part of the way -> entries of a record
DRAWN = {"channel": ("channel",), "labels": ("truth",)}
DECIDED = {"modes and costs": ("mode_id", "next_mode_id", "cost", "risk", "gamma", "d"),
           "iterations, parity": ("iterations", "parity_ok"), "states": ("predicted",)}
ARRAYS = ("tokens", "confidence", "erased", "decided", "state")


def shares(first, second):
    """Share of slots in which each part differs, dict in the order of the way; None where it is not in both."""
    records = [[json.loads(line) for line in (folder / "records.jsonl").open()] for folder in (first, second)]
    if len(records[0]) != len(records[1]):
        raise ValueError(f"{first} has {len(records[0])} records, {second} {len(records[1])}")
    arrays = [np.load(folder / "arrays.npz") for folder in (first, second)]

    def of_records(names):
        return float(np.mean([any(a.get(name) != b.get(name) for name in names) for a, b in pairs]))

    pairs = list(zip(*records, strict=True))

    found = {part: of_records(names) for part, names in DRAWN.items()}
    found["pictures"] = pictures(first, second)
    for name in ARRAYS:
        a, b = (each[name] for each in arrays)
        found[name] = float((a != b).reshape(len(a), -1).any(axis=1).mean())
    return found | {part: of_records(names) for part, names in DECIDED.items()}


def pictures(first, second):
    """Share of frames whose pixels differ."""
    names = sorted(path.name for path in (first / "frames").iterdir())
    pairs = [[np.asarray(Image.open(folder / "frames" / name)) for folder in (first, second)] for name in names]
    return float(np.mean([not np.array_equal(*pair) for pair in pairs]))


def main(first, second):
    """Print the parts."""
    for part, share in shares(Path(first), Path(second)).items():
        print(f"{part:20} {'equal' if share == 0 else f'differs in {share:.1%} of the slots'}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
