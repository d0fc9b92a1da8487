# SPDX-License-Identifier: GPL-3.0-or-later
"""What an origin of sequences needs and what it would ignore, told before anything is drawn or read."""

from __future__ import annotations

from pathlib import Path

from tokenlink.data.splits import SPLITS, DatasetError, own_tracks

ORIGINS = ("rendered", "invented", "real")
#: option -> origin that uses it
_USED_BY = {"--tracks": "rendered", "--frames": "rendered", "--real": "real"}


def check_inputs(origin, split, *, tracks=None, frames=None, real=(), names=None):
    """Refuse inputs that the origin lacks, that it would ignore, and folders that are not there.

    Parameters and errors are those of `tokenlink.study.dataset.load_sequences`.
    """
    for name, value, legal in (("origin", origin, ORIGINS), ("split", split, SPLITS)):
        if value not in legal:
            raise DatasetError(f"{name} is {value!r}, expected one of {', '.join(legal)}")
    if names is not None:
        own_tracks(origin, split, names)
    folders = {"--tracks": [tracks] if tracks else [], "--frames": [frames] if frames else [], "--real": list(real)}
    for option, paths in folders.items():
        if paths and _USED_BY[option] != origin:
            raise DatasetError(f"{option} has no effect with origin {origin}, expected origin {_USED_BY[option]}")
    if tracks and frames:
        raise DatasetError(f"--tracks {tracks} has no effect beside --frames {frames}: leave one out")
    if origin == "rendered" and not (tracks or frames):
        raise DatasetError("origin rendered needs --tracks, a KITTI tracking folder with label_02 and calib")
    if origin == "real" and not real:
        raise DatasetError("origin real needs --real, a KITTI raw drive or a folder of stills")
    for option, paths in folders.items():
        for path in paths:
            if not Path(path).is_dir():
                raise FileNotFoundError(f"{option} is {path}, and there is no such folder")
