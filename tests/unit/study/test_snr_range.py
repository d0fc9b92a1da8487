# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Es/N0 count: what the link delivers, found without any sequence."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.study import snr_range

TABLE = load_mode_table()


def test_far_below_the_waterfall_nothing_is_delivered_and_far_above_all():
    assert snr_range.delivered(TABLE, "awgn", -10.0, 8) == 0.0
    assert snr_range.delivered(TABLE, "awgn", 25.0, 8) == 1.0


def test_on_fading_the_share_is_that_of_gains_above_the_waterfall():
    """On AWGN the mode of the largest budget delivers nothing at 2 dB and all at 4.5 dB; on Rayleigh fading a slot is
    above x dB with probability exp(-10^((x - mean) / 10)). 300 slots, four standard errors."""
    low, high = (np.exp(-(10 ** ((x - 8.0) / 10))) for x in (4.5, 2.0))
    error = np.sqrt(0.25 / 300)
    assert low - 4 * error < snr_range.delivered(TABLE, "rayleigh:0.9", 8.0, 300) < high + 4 * error


@pytest.mark.parametrize("shares, expected", [
    ({}, [0, 4, 8]), ({"awgn": {0.0: 0.49, 4.0: 0.5, 8.0: 1.0}}, [4, 8]), ({"awgn": {0.0: 0.1}}, [4, 8]),
    ({"rayleigh": {0.0: 0.1}}, [0, 4, 8]), ({"awgn": {0.0: 0.1, 4.0: 0.1, 8.0: 0.1}}, [0, 4, 8]),
])  # fmt: skip
def test_half_is_enough_and_a_channel_without_any_keeps_all(shares, expected):
    rows = [{"channel": "awgn", "esn0_db": snr} for snr in (0.0, 4.0, 8.0)]
    assert [row["esn0_db"] for row in snr_range.counted(rows, shares)] == expected


def test_what_was_measured_is_kept_and_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(snr_range, "N_FRAMES", 4)
    known = snr_range.update(tmp_path, TABLE, {("awgn", 20.0)})
    assert known == {"awgn": {20.0: 1.0}} == snr_range.read(tmp_path)
    (tmp_path / snr_range.NAME).write_text(json.dumps({"awgn": {"20": 0.25}}))
    assert snr_range.update(tmp_path, TABLE, {("awgn", 20.0), ("awgn", -10.0)}) == {"awgn": {20.0: 0.25, -10.0: 0.0}}
    assert snr_range.read(tmp_path / "nothing") == {}


def test_what_was_measured_is_kept_in_one_order(tmp_path, monkeypatch):
    """Whatever the order it was asked for in: channels by name, Es/N0 by size, as of a reader's own JSON."""
    monkeypatch.setattr(snr_range, "delivered", lambda _, channel, snr: snr / 32 + 0.5 * (channel == "awgn"))
    for places in ([("rayleigh", 8.0), ("awgn", 10.0)], [("awgn", 2.5), ("awgn", 10.0)]):
        known = snr_range.update(tmp_path, TABLE, set(places))
    expected = {"awgn": {"2.5": 0.578125, "10": 0.8125}, "rayleigh": {"8": 0.25}}
    assert (tmp_path / snr_range.NAME).read_text() == json.dumps(expected, indent=2, sort_keys=True) + "\n"
    assert known == {"awgn": {2.5: 0.578125, 10.0: 0.8125}, "rayleigh": {8.0: 0.25}} == snr_range.read(tmp_path)


def test_the_mode_of_the_largest_budget_decides():
    """Wherever it stands in the table. 8 frames on AWGN at 5 dB: it delivers all, the one of the smallest nothing."""
    turned = tuple(replace(mode, mode_id=2 - mode.mode_id) for mode in TABLE.modes[::-1])
    low = (replace(TABLE.modes[0], mode_id=0),)
    last, first, small = (snr_range.delivered(replace(TABLE, modes=modes), "awgn", 5.0, 8)
                          for modes in (TABLE.modes, turned, low))  # fmt: skip
    assert small < 0.1 < 0.9 < first == last
