# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of an evaluation in two small files, so that a reader can redo every table, interval and claim.

    rows.csv.gz         one row a run: sequence, realisation, channel, Es/N0, policy, receiver, feedback, control,
                        counts
    rows_temporal.csv   one row a run whose Es/N0 changes: what the claims over time are made of
    sweep.json, snr_range.json   as in the results folder
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from pathlib import Path

from tokenlink.measure.counts import N_DENSITY
from tokenlink.study import snr_range

ROWS, TEMPORAL = "rows.csv.gz", "rows_temporal.csv"
_RUN = ("channel", "esn0_db", "sequence", "realisation", "policy", "receiver")
_RATES = ("n_frames", "tsmr", "auer", "n_auer_frames", "erasure_rate", "cost")
_URGENT = ("n_frames", "tsmr", "cost")
_AGES = ("spells", "slots", "age_sum")
_CELLS = tuple(f"{question}_{cell}" for question in ("car", "vru") for cell in ("tp", "fp", "fn", "tn")) + tuple(
    f"density_{true}{said}" for true in range(N_DENSITY) for said in range(N_DENSITY)
)
_OVER_TIME = ("channel", "policy", "sequence", "realisation", "follows", "spread")
COLUMNS = (*_RUN, "delay_slots", "loss", "control", *_RATES, *_CELLS, *(f"wrong_{name}" for name in _AGES),
           *(f"urgent_{name}" for name in (*_URGENT, *_CELLS)))  # fmt: skip
#: of runs with a prior, written where there are some
TOLD = ("prior", "prior_doubt", "prior_exchanges", "prior_news_bits")
DIGITS = 12


def write(rows: list[dict], temporal: list[dict], source: Path, folder: Path) -> None:
    """Keep rows.

    Parameters
    ----------
    rows : list of dict       runs at one Es/N0, each once
    temporal : list of dict   of `tokenlink.report.over_time.run_figures`
    source : Path             results folder they are from
    folder : Path             where the files go
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    told = TOLD if any("prior" in row for row in rows) else ()
    table.writerow((*COLUMNS, *told))
    lines = (_line(row) + (_told(row) if told else []) for row in rows)
    table.writerows(sorted(lines, key=lambda line: list(map(str, (*line[:9], *line[len(COLUMNS):])))))
    # Without a time in the head, so that the same rows give the same bytes.
    (folder / ROWS).write_bytes(gzip.compress(text.getvalue().encode(), 9, mtime=0))
    with (folder / TEMPORAL).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(_OVER_TIME)
        table.writerows(sorted([_text(each[name]) for name in _OVER_TIME] for each in temporal))
    for name in ("sweep.json", snr_range.NAME):
        if (source / name).is_file() and source.resolve() != folder.resolve():
            shutil.copyfile(source / name, folder / name)


def read(folder: Path) -> tuple[list[dict], list[dict]]:
    """Rows and temporal figures that were kept, as the evaluation gives them but for reliability and modes.

    Raises
    ------
    ValueError   columns are missing
    """
    with gzip.open(folder / ROWS, "rt", newline="") as file:
        rows = [_row(line) for line in _lines(file, COLUMNS)]
    with (folder / TEMPORAL).open(newline="") as file:
        temporal = [line | {"realisation": int(line["realisation"]), "follows": float(line["follows"]),
                            "spread": _number(line["spread"])} for line in _lines(file, _OVER_TIME)]  # fmt: skip
    return rows, temporal


def _lines(file, columns):
    reader = csv.DictReader(file)
    lacking = set(columns) - set(reader.fieldnames or ())
    if lacking:
        raise ValueError(f"kept rows lack the columns {', '.join(sorted(lacking))}")
    return list(reader)


def _line(row):
    urgent = row["urgent"]
    return [_text(value) for value in (
        *(row[name] for name in _RUN), row["feedback"]["delay_slots"], row["feedback"]["loss"],
        json.dumps(row["control"], sort_keys=True) if row["control"] else "",
        *(row[name] for name in _RATES), *_cells(row.get("confusion")),
        *(row.get("wrong_state_ages", {}).get(name) for name in _AGES),
        *(urgent.get(name) for name in _URGENT), *_cells(urgent.get("confusion")),
    )]  # fmt: skip


def _told(row):
    figures = row.get("prior_figures", {})
    return [row.get("prior", ""), *(_text(figures.get(name.removeprefix("prior_"))) for name in TOLD[1:])]


def _cells(confusion):
    if confusion is None:
        return [None] * len(_CELLS)
    return [*confusion["car"], *confusion["vru"], *(cell for line in confusion["density"] for cell in line)]


def _text(value):
    if value is None:
        return ""
    return f"{round(value, DIGITS):.{DIGITS}g}" if isinstance(value, float) else str(value)


def _row(line):
    row = {name: line[name] for name in _RUN} | {name: _number(line[name]) for name in _RATES}
    row |= {"esn0_db": float(line["esn0_db"]), "realisation": int(line["realisation"]), "trajectory": None,
            "feedback": {"delay_slots": int(line["delay_slots"]), "loss": float(line["loss"])},
            "control": json.loads(line["control"] or "{}")}  # fmt: skip
    row["urgent"] = {name: _number(line[f"urgent_{name}"]) for name in _URGENT}
    for place, prefix in ((row, ""), (row["urgent"], "urgent_")):
        if (found := _confusion(line, prefix)) is not None:
            place["confusion"] = found
    if line.get("prior"):
        row["prior"] = line["prior"]
        row["prior_figures"] = {name.removeprefix("prior_"): _number(line[name]) for name in TOLD[1:]}
    if line["wrong_spells"]:
        row["wrong_state_ages"] = {name: int(line[f"wrong_{name}"]) for name in _AGES}
    return row


def _confusion(line, prefix):
    cells = [line[f"{prefix}{name}"] for name in _CELLS]
    if not cells[0]:
        return None
    cells = list(map(int, cells))
    table = [cells[8 + N_DENSITY * true :][:N_DENSITY] for true in range(N_DENSITY)]
    return {"car": cells[:4], "vru": cells[4:8], "density": table}


def _number(text):
    """A count or a rate; None where nothing was written."""
    if not text:
        return None
    return int(text) if text.lstrip("-").isdigit() else float(text)
