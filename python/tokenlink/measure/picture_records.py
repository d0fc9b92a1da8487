# SPDX-License-Identifier: GPL-3.0-or-later
"""Records and metrics of runs that classify pictures: what was kept and sent, what came, and what it was taken for.

    records.jsonl    one line per slot; same configuration and seed, same bytes
    arrays.npz       kept_by_block: bool [n_frames, 3 * 64], positions that were there at each of the device's blocks
"""

from __future__ import annotations

import numpy as np

from tokenlink.measure.metrics import mean_of, mode_shares
from tokenlink.measure.records import Recorder, channel_of, plain_record

BLOCKS = 3
STAGES = ("source_s", "encode_s", "radio_s", "decode_s", "control_s", "loop_s")


class PictureRecorder(Recorder):
    """A Recorder of pictures; parameters and attributes as there."""

    stored = {"kept_by_block": bool}
    stages = STAGES

    def _width(self, name):
        return BLOCKS * self.table.n_tokens

    def _slot(self, truth, estimate, twin):
        record = plain_record(truth, twin) | {"slot": twin.slot}
        mode = self.table.mode(record["mode_id"])
        record |= {"mode": mode.name, "alpha": mode.alpha, "r": mode.ratio, "channel": channel_of(estimate)}
        record["correct"] = None if record["truth"] is None else record["predicted"] == record["truth"]
        return record, (truth.token_ids,)


def summarize_pictures(records, arrays):
    """All metrics of a run that do not depend on time.

    Parameters
    ----------
    records : list of dict   as PictureRecorder writes them
    arrays : dict            not used

    Returns
    -------
    dict   accuracy over pictures whose class is known, a lost one wrong; bandwidth_ratio, air_ratio and tokens_kept,
           means over all that were sent; queue after the last slot; mode_shares, n_frames, n_missed, n_labelled
    """
    known = [record["correct"] for record in records if record["correct"] is not None]
    means = {key: mean_of(record[key] for record in records) for key in ("bandwidth_ratio", "air_ratio", "tokens_kept")}
    return means | {
        "accuracy": float(np.mean(known)) if known else None,
        "queue": records[-1]["queue"] if records else None,
        "source_values": records[0]["source_values"] if records else None,
        "mode_shares": mode_shares([record["mode"] for record in records]),
        "n_frames": len(records),
        "n_missed": sum(record["missed"] for record in records),
        "n_labelled": len(known),
    }
