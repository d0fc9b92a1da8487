# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Es/N0 count in a mean: those at which the link delivers, by a rule that looks at no sequence and no policy.

Where even the mode of the largest budget delivers next to nothing, all policies are equally blind, and such points only
pull all means together. An Es/N0 counts from the one on at which that mode delivers at least half of its tokens.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tokenlink.channel import Channel, SnrTrajectory
from tokenlink.files.writing import write_text
from tokenlink.link.gating import gate
from tokenlink.study.outcomes import Outcomes
from tokenlink.study.plan import channel_named

LEAST_DELIVERED = 0.5
N_FRAMES, SEED = 400, 1
NAME = "snr_range.json"


def delivered(table, channel: str, esn0_db: float, n_frames: int = N_FRAMES, seed: int = SEED) -> float:
    """Share of random tokens that pass the gate in the mode of the largest budget.

    Parameters
    ----------
    table : ModeTable
    channel : str      such as "awgn" or "rayleigh:0.9"; slots are drawn independently, which changes no mean
    esn0_db : float    mean, dB
    n_frames, seed : int
    """
    config = channel_named(channel.partition(":")[0], esn0_db, SnrTrajectory())
    mode = max(table.modes, key=lambda each: each.budget)
    tokens = np.random.default_rng(seed).integers(table.vocab_size, size=(n_frames, table.n_tokens))
    outcomes = Outcomes(tokens, Channel(config, seed), table)
    outcomes.compute(mode.mode_id)
    thresholds = table.token_thresholds(mode)
    erased = [gate(outcomes.get(slot, mode.mode_id)[1], thresholds) for slot in range(n_frames)]
    return 1.0 - float(np.mean(erased))


def counted(rows: list[dict], shares: dict) -> list[dict]:
    """Rows of the Es/N0 that count.

    Parameters
    ----------
    rows : list of dict   with channel and esn0_db
    shares : dict         delivered by channel and Es/N0, of `read`; an Es/N0 that is not in there counts

    Returns
    -------
    list of dict   all rows of a channel of which no Es/N0 counts
    """
    def counts(row):
        return shares.get(row["channel"], {}).get(row["esn0_db"], 1.0) >= LEAST_DELIVERED

    known = {row["channel"] for row in rows if counts(row)}
    return [row for row in rows if counts(row) or row["channel"] not in known]


def update(folder: Path, table, places) -> dict:
    """Measure what the folder's file does not know yet, and keep it there.

    Parameters
    ----------
    folder : Path
    table : ModeTable
    places : set of (channel, esn0_db)

    Returns
    -------
    dict of dict of float   what `read` gives
    """
    known = read(folder)
    for channel, esn0_db in sorted(places):
        if esn0_db not in known.setdefault(channel, {}):
            known[channel][esn0_db] = delivered(table, channel, esn0_db)
    content = {channel: {f"{snr:g}": share for snr, share in sorted(each.items())} for channel, each in known.items()}
    write_text(Path(folder) / NAME, json.dumps(content, indent=2, sort_keys=True) + "\n")
    return known


def read(folder: Path) -> dict:
    """What a results folder knows of the link, {} for one that was made without."""
    path = Path(folder) / NAME
    if not path.is_file():
        return {}
    content = json.loads(path.read_text())
    return {channel: {float(snr): share for snr, share in shares.items()} for channel, shares in content.items()}
