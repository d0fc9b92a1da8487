# SPDX-License-Identifier: GPL-3.0-or-later
"""The twin of the adaptive system as a plain object, with a function in place of the learned decoder."""

from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.control import FixedPair, PictureControl
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.loop.picture_twin import PictureTwin
from tokenlink.loop.run_config import FeedbackConfig, RunConfig
from tokenlink.wire import SemanticEstimate

TABLE = load_adaptive_table()
MODE = TABLE.mode_of(0.5, 0.1)


def decode(symbols, gains, n0, kept, ratio):
    """Class 3, of symbols that are as many as kept and ratio ask for."""
    n_symbols = (1 + kept.sum()) * round(192 * ratio)
    if symbols.size != n_symbols or not np.isfinite(symbols).all():
        raise ValueError(f"symbols has {symbols.size} entries, expected {n_symbols} that are finite")
    return np.where(np.arange(10) == 3, 2.0, 0.0)


def estimate(**changes):
    kept = np.arange(64) < 9
    symbols = np.ones(10 * 19, np.complex64)
    fields = {"mode_id": MODE.mode_id, "kept": kept, "symbols": symbols, "channel_gains": symbols,
              "channel_gain": 1 + 0j, "n0": 0.1, "esn0_db": 10.0} | changes  # fmt: skip
    return SemanticEstimate(0, 0, **fields)


def twin():
    run = RunConfig("x", system="adaptive", policy="fixed", feedback=FeedbackConfig())
    policy = FixedPair(PictureControl(0.001), MODE.mode_id)
    return PictureTwin(SimpleNamespace(decode=decode), policy, run, TABLE)


def test_a_picture_is_read_and_what_it_cost_moves_the_queue():
    reader = twin()
    record, timing = reader.step(estimate())
    assert (record["missed"], record["predicted"]) == (False, 3)
    assert record["confidence"] == pytest.approx(np.exp(2) / (np.exp(2) + 9))
    assert record["queue"] == pytest.approx(10.0 * (190 / 49152 - 0.001)) and timing.keys() == {"decode_s", "control_s"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"mode_id": 50}, "mode_id is 50, must be in 0..49"),
        ({"symbols": np.ones(189, np.complex64)}, "symbols has 189 entries, expected 190"),
        ({"symbols": np.full(190, np.nan, np.complex64)}, "expected 190 that are finite"),
        ({"esn0_db": float("nan")}, "esn0_db is nan"),
    ],
)
def test_what_cannot_be_decoded_is_missed_and_said(changes, sentence, caplog):
    reader = twin()
    record, _ = reader.step(estimate(**changes))
    assert record["missed"] and record["predicted"] is None and reader.control.missed == 1
    assert len(caplog.messages) == 1 and sentence in caplog.messages[0]
    assert reader.step(estimate())[0]["missed"] is False
