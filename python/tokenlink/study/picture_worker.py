# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker of an evaluation of pictures does: one task, all its runs, in one thread."""

from __future__ import annotations

import numpy as np
import torch

from tokenlink.link.adaptive import PictureLost, decode_picture, encode_picture
from tokenlink.link.adaptive_modes import HEADER_SENSITIVITY_DB, load_adaptive_table
from tokenlink.measure.picture_marks import marked_row
from tokenlink.models.adaptive.batches import on_the_device
from tokenlink.models.adaptive.djscc import equalise
from tokenlink.phy.frame import BurstConfig, channel_uses
from tokenlink.study import control_runs, digital_pictures
from tokenlink.study.picture_air import PictureAir, through
from tokenlink.study.picture_parts import Place, expected_accuracy, network, proxy_of, shown, source_values
from tokenlink.study.picture_plan import DIGITAL, ORIGIN, PictureSetting, PictureTask

BATCH = 64


@torch.inference_mode()
def compute(task: PictureTask, setting: PictureSetting, place: Place) -> list:
    """Results of all runs of a task: list of (config, row, None), plain values.

    Every row has n_frames, pictures; right, which of them were classified right, see `tokenlink.measure.picture_marks`;
    accuracy; and bandwidth_ratio, mean rho. Beside these, by study:

    main, air    n_tokens and channel_uses, means of what was sent; burst_uses, mean of all that a burst has besides;
                 expected, the pair's accuracy on training pictures; air has n_lost, pictures whose header was lost, and
                 header_uses
    main         of pictures as bits: channel_uses; fits, share that could be coded; arrived, share that came through
    control      channel_uses; v and step_size that were chosen; expected, mean; queue, after the last slot

    Raises
    ------
    WorkerError   other weights are on this machine
    """
    model, pictures = network(place, task.artifact, task.weights), shown(place)
    if task.study == "control":
        rows = control_runs.rows(task, model, pictures, proxy_of(place, task.artifact, model))
    elif task.method in DIGITAL:
        rows = digital_pictures.rows(task, model, pictures)
    else:
        rows = _pairs(task, model, pictures, proxy_of(place, task.artifact, model))
    return [(task.config(run, setting), row, None) for run, row in zip(task.runs, rows, strict=True)]


def _pairs(task, model, pictures, proxy):
    """Rows of pairs (alpha, r) at Es/N0, all of one alpha."""
    shared, framed = task.shared, task.study == "air"
    air = PictureAir(shared["channel"], ORIGIN, shared["realisation"])
    alpha, table = shared["alpha"], load_adaptive_table() if framed else None
    right, lost = (np.zeros((len(task.runs), len(pictures)), bool) for _ in range(2))
    n_sent = np.zeros(len(pictures), int)
    for first, (batch, labels) in enumerate(pictures.batches(BATCH)):
        here = slice(first * BATCH, first * BATCH + len(labels))
        sent = on_the_device(model, batch, alpha)
        n_sent[here] = sent.n_sent.numpy()
        symbols = {ratio: sent.encode(ratio) for ratio in sorted({run["ratio"] for run in task.runs})}
        most = max(each[0].numel() for each in symbols.values())
        drawn = air.of(range(here.start, here.stop), most + (max(HEADER_SENSITIVITY_DB) if framed else 0))
        for number, run in enumerate(task.runs):
            given = symbols[run["ratio"]]
            if framed:
                mode = table.mode_of(alpha, run["ratio"])
                arrived, lost[number, here] = _by_burst(given, sent.kept, drawn, run["esn0_db"], shared, mode, table)
            else:
                arrived = through(given, drawn, run["esn0_db"])
            right[number, here] = (sent.decode(arrived, run["ratio"]).argmax(1) == labels).numpy()
    right &= ~lost
    return [_pair_row(run, right[number], lost[number], n_sent, model, proxy, shared, table)
            for number, run in enumerate(task.runs)]  # fmt: skip


def _by_burst(symbols, kept, drawn, esn0_db, shared, mode, table):
    """The same with a header before the symbols, and the gain as a receiver estimates it: (symbols, lost bool [n])."""
    layout, lost = symbols.numpy(), np.zeros(len(symbols), bool)
    arrived = np.zeros_like(layout)
    known = drawn.known_gain(esn0_db, shared["pilots"])
    for i, positions in enumerate(kept.numpy()):
        places = np.concatenate([[True], positions])
        payload = encode_picture(layout[i, places], positions, mode, table)
        received, n0 = drawn.part([i]).receive(payload[None], esn0_db)
        try:
            found = decode_picture(received[0], known[i], float(n0[0]), mode)
        except PictureLost:
            lost[i] = True
            continue
        estimate = equalise(torch.tensor(found.symbols), torch.tensor(found.channel_gain), found.n0)
        arrived[i, np.concatenate([[True], found.kept])] = estimate.numpy().reshape(-1, layout.shape[-1])
    return torch.from_numpy(arrived), lost


def _pair_row(run, right, lost, n_sent, model, proxy, shared, table):
    per_token, header = model.n_symbols(run["ratio"]), 0
    more = {}
    if table is not None:
        header = table.mode_of(shared["alpha"], run["ratio"]).header_symbols
        more = {"n_lost": int(lost.sum()), "header_uses": header}
    uses = n_sent * per_token
    overhead = [channel_uses(BurstConfig(), int(each) + header).overhead for each in uses]
    expected = expected_accuracy(proxy, shared["alpha"], run["ratio"], run["esn0_db"], shared["channel"])
    return marked_row(
        right, n_tokens=float(n_sent.mean()), channel_uses=float(uses.mean()), burst_uses=float(np.mean(overhead)),
        bandwidth_ratio=float(uses.mean()) / source_values(model), expected=expected, **more,
    )  # fmt: skip
