# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sequences belong to which split, and which may be tested on."""

from __future__ import annotations

from tokenlink.data.labels import TEST_SEQUENCES, TRAIN_SEQUENCES, VALIDATION_SEQUENCES

SPLITS = ("train", "val", "test")
# As `./twist render --seed` was called for each split; the shipped weights saw invented scenes 1000 to 3999 only.
TRACKS = {"train": TRAIN_SEQUENCES, "val": VALIDATION_SEQUENCES, "test": TEST_SEQUENCES}
RENDER_SEEDS = {"train": 1, "val": 50, "test": 100}
FIRST_INVENTED = {"train": 1000, "val": 50000, "test": 100000}


class DatasetError(ValueError):
    """The sequences asked for are not there; the message says which and what to do."""


def split_name(split: str, names=None) -> str:
    """The split as results name it; with tracks of one's own, they are part of it."""
    return split if names is None else f"{split} {','.join(names)}"


def own_tracks(origin: str, split: str, names) -> tuple:
    """Tracks that a user wants to test on, checked.

    Parameters
    ----------
    origin, split : str
    names : sequence of str

    Raises
    ------
    DatasetError   not the test split of origin "rendered", none or one twice, one that weights were trained on or
                   thresholds chosen by: that would be no test
    """
    if origin != "rendered" or split != "test":
        raise DatasetError(f"test sequences are named for origin {origin}, split {split}; expected rendered, test")
    if not names or len(set(names)) < len(names):
        raise DatasetError(f"test sequences are {', '.join(names) or 'none'}, expected names such as 0010, each once")
    for other, use in (("train", "trained on"), ("val", "chosen by")):
        if seen := [name for name in names if name in TRACKS[other]]:
            raise DatasetError(f"test sequence {seen[0]} is one that weights and thresholds were {use}; expected none "
                               f"of {', '.join(TRACKS[other])}")  # fmt: skip
    return tuple(names)
