# SPDX-License-Identifier: GPL-3.0-or-later
"""``report.html`` of a run that classifies pictures: traces, kept and dropped patches, constellation; one file."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tokenlink.data.imagenette import CLASSES
from tokenlink.files.writing import write_text
from tokenlink.measure.picture_records import BLOCKS
from tokenlink.measure.records import RunFolder
from tokenlink.report import pictures
from tokenlink.report.page_frame import filled_page
from tokenlink.report.run_page import chosen_slots
from tokenlink.report.tables import summary_rows
from tokenlink.report.traces import Trace, traces_svg
from tokenlink.systems import system_named

MAX_PICTURES = 24
DROPPED_RGB, DROPPED_SHARE = np.array([200, 52, 70]), 0.6
CONSTELLATION, SCALE = 360, 3.0  # pixels of its side, and what its edge is in symbol amplitudes


def write_report(path, max_pictures=MAX_PICTURES):
    """Write ``report.html`` into a run folder.

    Parameters
    ----------
    path : Path          run folder with its records
    max_pictures : int   shown, evenly chosen; the traces show all

    Returns
    -------
    Path   of the report
    """
    folder = RunFolder(path)
    config, info = folder.read_json("config.json"), folder.read_json("run.json")
    summary, timing = folder.read_json("summary.json"), folder.read_json("timing.json")
    records, kept = folder.read_lines("records.jsonl"), folder.read_arrays()["kept_by_block"]
    system = system_named(config["system"])
    rows = summary_rows(summary, timing, info, system.metrics)
    text = filled_page(
        "picture_page.html", config, info, rows, system,
        traces=traces_svg(_traces(records, config), _strips(records), len(records)),
        constellation=constellation_svg([each for record in records for each in record["symbols"]]),
        pictures="".join(_figure(folder, records[slot], kept[slot])
                         for slot in chosen_slots(len(records), max_pictures)),
    )  # fmt: skip
    out = folder.path / "report.html"
    write_text(out, text)
    return out


def _traces(records, config):
    def column(key):
        return [record[key] for record in records]

    limit = config["control"]["ratio_limit"]
    rho = column("bandwidth_ratio")
    mean = (np.cumsum(rho) / np.arange(1, len(rho) + 1)).tolist()
    return [
        Trace("Es/N0", "received, dB", [record["channel"]["esn0_db"] for record in records]),
        Trace("alpha", "token budget", column("alpha"), 0.0, 1.0, steps=True),
        Trace("r", "symbols a feature", column("r"), 0.0, 0.5, steps=True),
        Trace("tokens", "kept, of 64", column("tokens_kept"), 0.0, 64.0, steps=True),
        Trace("rho", "of the slot", rho, 0.0, max([limit, *rho]), steps=True, marks={limit: f"limit {limit:g}"}),
        Trace("mean rho", "so far", mean, 0.0, max([limit, *mean]), marks={limit: f"limit {limit:g}"}),
        Trace("queue Z", "after the slot", column("queue"), 0.0),
        Trace("confidence", "of the class", column("confidence"), 0.0, 1.0),
    ]


def _strips(records):
    rows = [("right", "car", [record["correct"] for record in records])]
    rows += [(name.replace("_", " "), "fault", [record[name] for record in records])
             for name in ("missed", "feedback_lost")]  # fmt: skip
    return [row for row in rows if any(value is not None and value is not False for value in row[2])]


def dropped_patches(picture, kept):
    """A picture with its dropped patches in red: uint8 [side, side, 3] and bool [n], a square grid -> uint8."""
    grid = int(np.sqrt(kept.size))
    edges = np.arange(picture.shape[0]) * grid // picture.shape[0]
    gone = ~kept.reshape(grid, grid)[np.ix_(edges, edges)]
    shown = picture.astype(float)
    shown[gone] = (1 - DROPPED_SHARE) * shown[gone] + DROPPED_SHARE * DROPPED_RGB
    return shown.round().astype(np.uint8)


def _figure(folder, record, kept):
    path = folder.picture(record["slot"])
    if not path.is_file():
        return ""
    with Image.open(path) as stored:
        picture = np.asarray(stored.convert("RGB"))
    blocks = [dropped_patches(picture, each) for each in kept.reshape(BLOCKS, -1)]
    shown = "".join(f'<img alt="" src="{pictures.jpeg_uri(each)}">' for each in (picture, *blocks))
    known = "" if record["correct"] is None else " right" if record["correct"] else " wrong"
    state = "lost" if record["missed"] else f"{CLASSES[record['predicted']][1]}{known}"
    pair = f"alpha {record['alpha']:g}, r {record['r']:g}, {record['tokens_kept']} kept"
    return f"<figure><div>{shown}</div><figcaption>slot {record['slot']}, {pair}: {state}</figcaption></figure>"


def constellation_svg(symbols):
    """Sent symbols, pairs of real and imaginary part, as an svg element; what lies beyond SCALE is at its edge."""
    half = CONSTELLATION / 2
    places = half + np.clip(np.array(symbols, float).reshape(-1, 2) / SCALE, -1, 1) * [half, -half]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.4"/>' for x, y in places)
    unit = f'<circle class="unit" cx="{half}" cy="{half}" r="{half / SCALE:.1f}"/>'
    axes = f'<path d="M0 {half}H{CONSTELLATION}M{half} 0V{CONSTELLATION}"/>'
    size = f'viewBox="0 0 {CONSTELLATION} {CONSTELLATION}"'
    about = 'role="img" aria-label="constellation of sent symbols"'
    return f'<svg class="constellation" {size} {about}>{axes}{unit}{dots}</svg>'
