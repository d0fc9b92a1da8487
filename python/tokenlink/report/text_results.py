# SPDX-License-Identifier: GPL-3.0-or-later
"""The results folder of an evaluation of texts: its rows by study, its claims, table 1, its rows in one small file.

    rows.jsonl.gz   one line a result, sorted: what tells it from others, and its row
    sweep.json      as in the results folder
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tokenlink.files.writing import write_text
from tokenlink.report.claims import select
from tokenlink.report.row_file import keep_rows, kept_or_stored
from tokenlink.report.text_claims import check, page
from tokenlink.study.result_store import StoreError
from tokenlink.study.text_plan import METHODS, STUDIES


@dataclass(frozen=True)
class TextResults:
    """What a folder holds.

    Attributes
    ----------
    setting : dict         what all rows share
    main, air : list of dict   rows by study, each with its configuration
    """

    setting: dict
    main: list
    air: list

    @property
    def note(self):
        """One line: where the data is from."""
        return self.note_on((*self.main, *self.air))

    def note_on(self, rows):
        """One line: where the data of some rows is from."""
        runs = {row["realisation"] for row in rows}
        head = f"{self.setting['n_texts']} texts of {self.setting['origin']}"
        return f"{head}, {len(runs)} realisation{'s' * (len(runs) != 1)} of losses" if runs else head


def collect(folder: Path) -> TextResults:
    """Read a folder of `./twist evaluate --system tokcode`, or of rows that `./twist claims --keep-rows` has kept.

    Raises
    ------
    StoreError   nothing there, damaged files, results of another system
    """
    setting, rows = kept_or_stored(folder)
    if "texts_sha256" not in setting:
        raise StoreError(f"{folder} holds no results of texts: name the system they are of with --system")
    return TextResults(setting, *([row for row in rows if row["study"] == study] for study in STUDIES))


def keep(found: TextResults, source: Path, folder: Path) -> Path:
    """Keep the rows of a results folder in another one; the same rows give the same bytes."""
    return keep_rows([*found.main, *found.air], found.setting, source, folder)


def judge(found: TextResults, folder: Path, command: str, metrics: tuple = ()) -> list[dict]:
    """Judge the claims and write claims.md, claims.json and table_1.md into a folder; the claims."""
    folder.mkdir(parents=True, exist_ok=True)
    checked = check(found)
    write_text(folder / "claims.md", page(checked, command, found.note))
    write_text(folder / "table_1.md", table_one(found, command))
    content = {"setting": found.setting, "data": found.note, "command": command, "claims": checked}
    write_text(folder / "claims.json", json.dumps(content, indent=2) + "\n")
    return checked


def table_one(found: TextResults, command: str, lost: int = 2) -> str:
    """What each way leaves of the first texts, with similarities: Markdown."""
    rows = {row["method"]: row for row in select(found.main, lost=lost, realisation=0)}
    lines = [f"# Texts with {lost} of 5 packets lost", "", f"Made by `{command}`; {found.note}. The first texts of the "
             "file, the first draw of losses; similarity in brackets.", ""]  # fmt: skip
    shown = next(iter(rows.values()))["shown"] if rows else []
    for number, (text, _) in enumerate(shown):
        lines += [f"**{_cell(text)}**", "", "| way | what came |", "|---|---|"]
        for method in METHODS:
            if method in rows:
                alike, came = rows[method]["similarities"][number], rows[method]["shown"][number][1]
                lines.append(f"| {method} ({alike:.3f}) | {_cell(came) or 'nothing'} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text):
    return text.replace("|", "\\|")


def refuse_wrong_inputs(found: TextResults, given) -> None:
    """Nothing to refuse: no figure shows anything but rows."""
