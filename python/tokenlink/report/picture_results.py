# SPDX-License-Identifier: GPL-3.0-or-later
"""The results folder of an evaluation of pictures: its rows by study, its claims, its rows in one small file.

    rows.jsonl.gz   one line a result, sorted: what tells it from others, and its row
    sweep.json      as in the results folder
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokenlink.data.imagenette import read_split
from tokenlink.files.writing import write_text
from tokenlink.report.picture_claims import check, page
from tokenlink.report.row_file import keep_rows, kept_or_stored
from tokenlink.report.table_two import markdown
from tokenlink.study.picture_plan import SPLIT, STUDIES
from tokenlink.study.result_store import StoreError

SHOWN, SHOWN_RATIO = (0, 4, 7), 0.15  # classes of the pictures that are shown, and r


@dataclass(frozen=True)
class PictureResults:
    """What a folder holds.

    Attributes
    ----------
    setting : dict         what all rows share
    main, control, air : list of dict   rows by study, each with its configuration
    """

    setting: dict
    main: list
    control: list
    air: list

    @property
    def note(self):
        """One line: where the data is from."""
        return self.note_on((*self.main, *self.control, *self.air))

    def note_on(self, rows):
        """One line: where the data of some rows is from."""
        head = f"origin: {self.setting['origin']}, split {self.setting['split']}, {self.setting['n_pictures']} pictures"
        runs = {row["realisation"] for row in rows}
        return f"{head}, {len(runs)} channel realisation{'s' * (len(runs) != 1)}" if runs else head


def collect(folder: Path) -> PictureResults:
    """Read a folder of `./twist evaluate --system adaptive`, or of rows that `./twist claims --keep-rows` has kept.

    Raises
    ------
    StoreError   nothing there, damaged files, results of another system
    """
    setting, rows = kept_or_stored(folder)
    if "pictures_sha256" not in setting:
        raise StoreError(f"{folder} holds no results of pictures: name the system they are of with --system")
    return PictureResults(setting, *([row for row in rows if row["study"] == study] for study in STUDIES))


def keep(found: PictureResults, source: Path, folder: Path) -> Path:
    """Keep the rows of a results folder in another one; the same rows give the same bytes."""
    return keep_rows([row for study in STUDIES for row in getattr(found, study)], found.setting, source, folder)


def judge(found: PictureResults, folder: Path, command: str, metrics: tuple = ()) -> list[dict]:
    """Judge the claims and write claims.md, claims.json and table_2.md into a folder; the claims."""
    folder.mkdir(parents=True, exist_ok=True)
    checked = check(found)
    write_text(folder / "claims.md", page(checked, command, found.note))
    write_text(folder / "table_2.md", markdown(found.control, command, found.note))
    content = {"setting": found.setting, "data": found.note, "command": command, "claims": checked}
    write_text(folder / "claims.json", json.dumps(content, indent=2) + "\n")
    return checked


def refuse_wrong_inputs(found: PictureResults, given) -> None:
    """Nothing to refuse: which pictures a figure shows is told in it."""


def examples(number: int, found: PictureResults, given) -> list:
    """Pictures and what is dropped of them, of the first picture of every third class.

    Parameters
    ----------
    number : int
    found : PictureResults
    given : object   with pictures and artifacts as the command has them

    Raises
    ------
    FigureError   without pictures
    """
    from tokenlink.models.adaptive.picture_codec import load_codec
    from tokenlink.report.figures.catalog import FigureError
    from tokenlink.report.figures.dropped import ALPHAS, DroppedExample

    if given.pictures is None:
        raise FigureError(f"figure {number} needs --pictures, Imagenette as a folder or its tar")
    known, codec = read_split(given.pictures, SPLIT), load_codec(given.artifacts)
    chosen = [int(np.flatnonzero(known.labels == label)[0]) for label in SHOWN]
    pictures = [(known.square(i, codec.side), codec.class_names[known.labels[i]]) for i in chosen]
    return [DroppedExample(picture, name, alpha, codec.encode(picture, alpha, SHOWN_RATIO).kept_by_block)
            for alpha in ALPHAS for picture, name in pictures]  # fmt: skip
