# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences drawn once and kept on disk, for training: pictures, and what is known about them."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tokenlink.data.labels import CAR_KINDS, LabelConfig, RoadObject, counts
from tokenlink.data.sources import RenderedFrames
from tokenlink.files.writing import naming, write_arrays

_CELL_PX = 16


def cell_map(
    objects: Sequence[RoadObject], config: LabelConfig, height: int, width: int, min_share: float = 0.2
) -> np.ndarray:
    """Where cars and vulnerable road users are, uint8 [2, height / 16, width / 16].

    A cell is 1 where counted boxes of the kind (0 car, 1 vulnerable) cover at least `min_share` of it, or where it
    holds the centre of one.
    """
    counted = [o for o in objects if counts(o, config)]
    boxes = np.array([o.box_px for o in counted], np.float32).reshape(-1, 4)
    vru = np.array([o.kind not in CAR_KINDS for o in counted], bool)
    return covered_cells(boxes, vru, height, width, min_share)


def covered_cells(boxes: np.ndarray, vru: np.ndarray, height: int, width: int, min_share: float = 0.2) -> np.ndarray:
    """`cell_map` of boxes float [n, 4] in pixels, of which `vru`, bool [n], says whether they are vulnerable."""
    n_rows, n_columns = height // _CELL_PX, width // _CELL_PX
    cells = np.zeros((2, n_rows, n_columns), np.uint8)
    rows, columns = _CELL_PX * np.arange(n_rows), _CELL_PX * np.arange(n_columns)
    for (left, top, right, bottom), kind in zip(boxes.tolist(), vru.astype(int), strict=True):
        in_rows = np.clip(np.minimum(rows + _CELL_PX, bottom) - np.maximum(rows, top), 0, None)
        in_columns = np.clip(np.minimum(columns + _CELL_PX, right) - np.maximum(columns, left), 0, None)
        layer = cells[kind]
        layer |= (np.outer(in_rows, in_columns) >= min_share * _CELL_PX**2).astype(np.uint8)
        row, column = int((top + bottom) / 2 / _CELL_PX), int((left + right) / 2 / _CELL_PX)
        layer[min(row, n_rows - 1), min(column, n_columns - 1)] = 1
    return cells


def write_sequence(source: RenderedFrames, folder: Path, name: str, on_frame=lambda: None) -> Path:
    """Draw a source into <name>.npy (uint8 [n, height, width, 3]) and <name>.npz; returns the latter.

    Notes
    -----
    The .npz holds labels int64 [n, 3], cells uint8 [n, 2, 8, 32], object_offsets int64 [n + 1] and, per road user of
    all frames in turn, object_boxes_px, object_kinds, object_track_ids, object_heights_375_px, object_occluded,
    object_truncated; ego_m float32 [n], metres driven; origin and config (JSON) as text. It is written last: where it
    exists, the sequence is complete.
    """
    geometry, config = source.config.geometry, source.config.label_config
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    images = _new_images(folder / f"{name}.npy", (len(source), geometry.height, geometry.width, 3))
    labels, cells, objects, offsets = [], [], [], [0]
    for frame in source:
        images[frame.slot] = frame.image
        labels.append(frame.labels.as_array())
        cells.append(cell_map(frame.objects, config, geometry.height, geometry.width))
        objects.extend(frame.objects)
        offsets.append(len(objects))
        on_frame()
    images.flush()
    path = folder / f"{name}.npz"
    arrays = dict(
        labels=np.array(labels, np.int64).reshape(-1, 3),
        cells=np.array(cells, np.uint8),
        object_offsets=np.array(offsets, np.int64),
        object_boxes_px=np.array([o.box_px for o in objects], np.float32).reshape(-1, 4),
        object_kinds=np.array([o.kind for o in objects], "U16"),
        object_track_ids=np.array([o.track_id for o in objects], np.int64),
        object_heights_375_px=np.array([o.height_375_px for o in objects], np.float32),
        object_occluded=np.array([o.occluded for o in objects], np.int8),
        object_truncated=np.array([o.truncated for o in objects], np.float32),
        ego_m=np.asarray(source.script.ego_m[:: source.config.stride], np.float32),
        origin=source.origin,
        config=json.dumps(asdict(source.config)),
    )
    write_arrays(path, arrays)
    return path


def _new_images(path, shape):
    """Array in a file, uint8 of this shape, its room taken at once: writing to a map on a full disk ends a process."""
    with naming(path):
        try:
            images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
            with open(path, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    return images
