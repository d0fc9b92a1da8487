# SPDX-License-Identifier: GPL-3.0-or-later
"""Test traffic of TokCode: packets over the air of a profile, each by itself, lost ones counted."""

from dataclasses import replace

import numpy as np

from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.virtual_air import VirtualAir
from tokenlink.systems import system_named

PAYLOAD = system_named("tokcode").payload
TABLE, PROFILE = PAYLOAD.load_table(), read_profile("virtual")


def received(slots, noise_dbfs=None, mode_id=None, seed=3):
    """Traffic, and what came of its bursts through the profile's air."""
    impairments = PROFILE.impairments("forward")
    impairments = impairments if noise_dbfs is None else replace(impairments, noise_dbfs=noise_dbfs)
    traffic = KnownTraffic(PROFILE.burst, TABLE, seed, mode_id, PAYLOAD)
    sent = np.concatenate([np.pad(traffic.samples(slot), 300) for slot in slots])
    samples = VirtualAir(impairments, seed).process(sent)
    reader = TrafficReceiver(PROFILE.burst, TABLE, PROFILE.samp_rate, traffic, PAYLOAD)
    return traffic, reader.feed(samples) + reader.flush(), reader


def test_packets_come_with_their_own_tokens():
    traffic, receptions, _ = received(range(7))
    assert [(each.slot, each.mode_id) for each in receptions] == [(slot, slot % 3) for slot in range(7)]
    for each in receptions:
        np.testing.assert_array_equal(each.token_ids, traffic.tokens(each.slot))
        assert 4 <= each.token_ids.size <= 20 and each.parity_ok.all() and each.wrong_tokens == 0
    frames = [traffic._frame(slot).token_ids for slot in range(7)]
    assert [each.token_ids[0] for each in receptions] == [frame[slot % 5] for slot, frame in enumerate(frames)]


def test_a_packet_that_fails_is_counted_by_cause():
    """16QAM of rate 1/2 needs 7 dB; here are 4. Seed 3."""
    _, receptions, reader = received(range(8), noise_dbfs=-16.0, mode_id=2)
    lost = [each for each in receptions if not each.parity_ok.all()]
    assert 0 < len(lost) == reader.counts["crc_failed"]
    assert all(each.token_ids.size == 0 for each in lost)
