# SPDX-License-Identifier: GPL-3.0-or-later
"""``report.html`` of a run folder: one file without anything beside it, pictures inside."""

from __future__ import annotations

import json

import numpy as np

from tokenlink.files.writing import write_text
from tokenlink.measure.records import RunFolder
from tokenlink.report import pictures
from tokenlink.report.page_frame import filled_page
from tokenlink.report.tables import summary_rows
from tokenlink.report.traces import Trace, traces_svg
from tokenlink.systems import system_named

MAX_FRAMES = 120
DENSITY = ("low", "medium", "high")


def write_report(path, max_frames=MAX_FRAMES):
    """Write ``report.html`` into a run folder.

    Parameters
    ----------
    path : Path        run folder with its records
    max_frames : int   frames shown as pictures, evenly chosen; the traces show all

    Returns
    -------
    Path   of the report
    """
    folder = RunFolder(path)
    config, info = folder.read_json("config.json"), folder.read_json("run.json")
    summary, timing = folder.read_json("summary.json"), folder.read_json("timing.json")
    records, arrays = folder.read_lines("records.jsonl"), folder.read_arrays()
    system = system_named(config.get("system", "twist"))
    table = system.payload.load_table(config["mode_table"])
    rows = summary_rows(summary, timing, info, system.metrics)
    shown = chosen_slots(len(records), max_frames)
    text = filled_page(
        "run_page.html", config, info, rows, system,
        traces=traces_svg(_traces(records, config, table), _strips(records), len(records)),
        data=json.dumps(_frames(folder, records, arrays, shown, config, table)).replace("</", "<\\/"),
    )
    out = folder.path / "report.html"
    write_text(out, text)
    return out


def chosen_slots(n_slots, max_frames):
    """Slots shown as pictures: all of them, or ``max_frames`` spread evenly from the first to the last."""
    if n_slots <= max_frames:
        return list(range(n_slots))
    return sorted({int(slot) for slot in np.linspace(0, n_slots - 1, max_frames).round()})


def reconstructions(state, artifacts, vocab_size):
    """Pictures of token grids through the tokenizer's decoder: int32 [n, n_tokens] -> list of uint8 images."""
    import torch

    from tokenlink.models import artifact
    from tokenlink.models.twist.tokenizer import decode_tokens

    torch.set_num_threads(1)  # the pictures are too small for more
    model = artifact.load("tokenizer", artifacts or artifact.DEFAULT_DIR, vocab_size)
    return [decode_tokens(model, token_ids) for token_ids in state]


def _frames(folder, records, arrays, shown, config, table):
    images = reconstructions(arrays["state"][shown], config["artifacts"], table.vocab_size)
    frames = []
    for slot, image in zip(shown, images, strict=True):
        grids = {name: values[slot].reshape(table.grid) for name, values in arrays.items()}
        record = records[slot]
        frames.append(
            {
                "slot": slot,
                "frame": pictures.file_uri(folder.picture(slot)),
                "rebuilt": pictures.jpeg_uri(image),
                "tokens": pictures.png_uri(pictures.token_colours(grids["tokens"])),
                "confidence": pictures.png_uri(pictures.confidence_colours(grids["confidence"])),
                "erased": pictures.png_uri(pictures.erasure_colours(grids["erased"])),
                "state": pictures.png_uri(pictures.token_colours(grids["state"])),
                "outcome": pictures.png_uri(
                    pictures.outcome_colours(grids["state"], grids["tokens"], grids["erased"])
                ),
                "facts": _facts(record, table),
                "truth": _state(record["truth"]),
                "predicted": _state(record["predicted"]),
            }
        )
    return frames


def _facts(record, table):
    risk = "-" if record["risk"] is None else f"{record['risk']:.2f}"
    return [
        ["frame", record["name"] + (" (missed: nothing came through)" if record["missed"] else "")],
        ["mode", _known(record["mode_id"], lambda m: f"{record['mode']} ({table.mode(m).budget} channel uses)")],
        ["Es/N0", _known(record["channel"]["esn0_db"], lambda esn0_db: f"{esn0_db:.1f} dB")],
        ["LDPC iterations", _known(record["iterations"], lambda counts: " ".join(map(str, counts)))],
        ["groups decoded", _known(record["parity_ok"], lambda ok: f"{sum(ok)} of {len(ok)}")],
        *_prior_facts(record),
        ["erased", f"{record['n_erased']} of {table.n_tokens}"],
        ["accepted and wrong", str(record["n_wrong_accepted"])],
        ["twin differs from truth", f"{100 * record['mismatch']:.1f} %"],
        ["drift", f"{record['d']:.2f}"],
        ["risk", risk + (" (feedback lost)" if record["feedback_lost"] else "")],
    ]


def _prior_facts(record):
    """What the frame was decoded with; nothing where priors are off."""
    if (prior := record.get("prior")) is None:
        return []
    how = "" if prior["doubt"] is None else f", doubt {prior['doubt']:g}, {prior['exchanges']} exchanges"
    return [["prior", prior["outcome"].replace("_", " ") + how]]


def _known(value, text):
    return "-" if value is None else text(value)


def _state(state):
    if state is None:
        return ["not known"] * 3
    return ["yes" if state["car"] else "no", "yes" if state["vru"] else "no", DENSITY[state["density"]]]


def _traces(records, config, table):
    def column(key):
        return [record[key] for record in records]

    control = config["control"]
    thresholds = {control["theta_low"]: "θ low", control["theta_high"]: "θ high"}
    risks = [risk for risk in column("risk") if risk is not None]
    modes = {table.relative_cost(mode): mode.name for mode in table.modes}
    return [
        Trace("Es/N0", "received, dB", [record["channel"]["esn0_db"] for record in records]),
        Trace("mode", "budget", column("cost"), min(modes) - 0.1, max(modes) + 0.1, steps=True, marks=modes),
        Trace("erased", "share of tokens", column("u"), 0.0, 1.0),
        Trace("confidence", "mean", column("confidence"), 0.0, 1.0),
        *_prior_traces(records),
        Trace("mismatch", "twin vs truth", column("mismatch"), 0.0, max([0.1, *column("mismatch")])),
        Trace("drift", "change of state", column("d"), 0.0, max([0.1, *column("d")])),
        Trace("risk", "for next mode", column("risk"), 0.0, max([1.0, *risks]), marks=thresholds if risks else {}),
    ]


def _prior_traces(records):
    doubts = [(record.get("prior") or {}).get("doubt") for record in records]
    known = any("prior" in record for record in records)
    return [Trace("doubt", "in the prior", doubts, 0.0, 1.0)] if known else []


def _strips(records):
    strips = []
    for key in ("car", "vru", "density"):
        for title, source in (("true", "truth"), ("twin", "predicted")):
            values = [None if record[source] is None else record[source][key] for record in records]
            strips.append((f"{key}, {title}", key, values))
    for key, title in (("missed", "missed"), ("feedback_lost", "feedback lost")):
        values = [record[key] for record in records]
        if any(values):
            strips.append((title, "fault", values))
    return strips
