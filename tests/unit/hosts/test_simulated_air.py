# SPDX-License-Identifier: GPL-3.0-or-later
"""The burst modem of the simulator: tokens and commands cross the air, and what is no frame of ours is counted."""

import numpy as np
import pytest

from tokenlink.channel import ChannelConfig
from tokenlink.hosts.simulated_air import FrameReceiver, ReverseAir, SimulatedAir, frame_burst
from tokenlink.link.feedback_bursts import Feedback
from tokenlink.link.modes import load_mode_table
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import SYSTEMS, Header
from tokenlink.systems import system_named
from tokenlink.wire import TokenFrame, decode, encode

TABLE, BURST, PAYLOAD = load_mode_table(), BurstConfig(), system_named("twist").payload


def frame(slot):
    token_ids = np.random.default_rng(slot).integers(0, TABLE.vocab_size, TABLE.n_tokens)
    return TokenFrame(slot, 0, token_ids.astype(np.int32))


def receiver(esn0_db):
    return FrameReceiver(TABLE, BURST, PAYLOAD, SimulatedAir(ChannelConfig(esn0_db=esn0_db), BURST, 1))


@pytest.mark.parametrize("slot", [0, 5, 2**24 + 1])
def test_frames_arrive_whole_with_their_mode_and_slot(slot):
    rx = receiver(25.0)
    for mode in TABLE.modes:
        [(estimate, report)] = rx.receive(frame_burst(frame(slot), mode, TABLE, BURST, PAYLOAD), slot)
        assert (estimate.slot, estimate.mode_id) == (slot, mode.mode_id)
        assert np.array_equal(estimate.token_ids, frame(slot).token_ids) and not estimate.erased.any()
        assert abs(estimate.esn0_db - 25.0) < 1.0 and report.parity_ok.all()
        assert decode(encode(estimate)) == estimate and decode(encode(report)) == report
    assert rx.counts["estimates"] == len(TABLE.modes)


def test_pictures_arrive_with_their_positions_and_those_without_a_header_are_counted():
    payload = system_named("adaptive").payload
    table, counts, noise = payload.load_table(), {}, []
    for esn0_db in (15.0, -1.0):
        rx = FrameReceiver(table, BURST, payload, SimulatedAir(ChannelConfig(esn0_db=esn0_db), BURST, 1))
        for slot, mode in enumerate(table.modes[::7]):
            sent = payload.draw(np.random.default_rng(slot), slot, mode, table)
            for estimate, report in rx.receive(frame_burst(sent, mode, table, BURST, payload), slot):
                assert (estimate.slot, estimate.mode_id) == (slot, mode.mode_id)
                np.testing.assert_array_equal(estimate.kept, sent.kept)
                error = np.abs(estimate.symbols - estimate.channel_gains * sent.symbols) ** 2
                noise += (error / estimate.n0).tolist()
                assert decode(encode(estimate)) == estimate and decode(encode(report)) == report
        counts[esn0_db] = dict(rx.counts)
    assert counts[15.0]["estimates"] == 8 and "header_lost" not in counts[15.0] and counts[-1.0]["header_lost"] > 0
    # Thousands of symbols of eight pictures, fixed seeds; the gain is an estimate too, so a little above 1.
    assert 0.9 < np.mean(noise) < 1.2


def test_packets_of_a_sequence_arrive_as_one_and_lost_ones_are_erased():
    """Rayleigh fading at 6 dB, a gain for each packet, seed 1: some of 30 packets are lost, and none is wrong."""
    payload = system_named("tokcode").payload
    table, n_lost = payload.load_table(), 0
    rx = FrameReceiver(table, BURST, payload, SimulatedAir(ChannelConfig("rayleigh", esn0_db=6.0), BURST, 1))
    for slot in (0, 1, 2, 3, 2**22, 2**24 + 5):
        sent, mode = payload.draw(np.random.default_rng(slot), slot, table.mode(1), table), table.mode(1)
        for estimate, report in rx.receive(frame_burst(sent, mode, table, BURST, payload), slot):
            assert (estimate.slot, estimate.mode_id) == (slot, 1)
            came = ~estimate.erased
            np.testing.assert_array_equal(came, report.parity_ok[np.arange(came.size) % 5])
            np.testing.assert_array_equal(estimate.token_ids[came], sent.token_ids[came])
            n_lost += int((~report.parity_ok).sum())
            assert decode(encode(estimate)) == estimate and decode(encode(report)) == report
    assert rx.counts["estimates"] == 6 and 2 <= n_lost <= 20


def test_every_packet_meets_the_air_of_its_own_slot_and_those_of_another_sequence_are_none():
    class Air:
        slots = []

        def pass_through(self, samples, slot):
            self.slots.append(slot)
            return np.append(samples, np.zeros(100, np.complex64))

    payload = system_named("tokcode").payload
    table = payload.load_table()
    rx, mode = FrameReceiver(table, BURST, payload, Air()), table.mode(1)
    samples = frame_burst(payload.draw(np.random.default_rng(3), 3, mode, table), mode, table, BURST, payload)
    assert len(rx.receive(samples, 3)) == 1 and Air.slots == [15, 16, 17, 18, 19]
    assert rx.receive(samples, 7) == [] and rx.counts["other_slot"] == 1


def test_the_estimated_esn0_is_that_of_the_channel():
    rx, errors = receiver(12.0), []
    for slot in range(30):
        [(estimate, _)] = rx.receive(frame_burst(frame(slot), TABLE.modes[0], TABLE, BURST, PAYLOAD), slot)
        errors.append(estimate.esn0_db - 12.0)
    assert abs(np.mean(errors)) < 0.3


def test_far_too_much_noise_gives_nothing_and_no_error():
    rx = receiver(-25.0)
    assert rx.receive(frame_burst(frame(0), TABLE.modes[0], TABLE, BURST, PAYLOAD), 0) == []
    assert rx.counts["estimates"] == 0


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (Header(SYSTEMS["feedback"], 0, 0, 0, 0), "foreign_system"),
        (Header(SYSTEMS["twist"], 200, 0, 0, 9), "unknown_mode"),
        (Header(SYSTEMS["twist"], 0, 0, 0, 9), "wrong_length"),
    ],
)
def test_bursts_that_are_no_frames_are_counted_by_cause(header, cause):
    rx = receiver(25.0)
    assert rx.receive(modulate_burst(header, np.ones(header.payload_symbols, np.complex64), BURST), 0) == []
    assert rx.counts[cause] == 1


def test_commands_come_back_over_the_reverse_link():
    reverse = ReverseAir(ChannelConfig("rayleigh", 20.0), BURST, 1, len(TABLE.modes))
    got = [reverse.receive(reverse.send(slot, slot % 3), slot) for slot in range(20)]
    # Rayleigh at 20 dB falls below 0 dB, where the header still decodes, in 1 % of the slots.
    assert sum(len(each) for each in got) >= 18
    assert all(each == [Feedback(slot, slot % 3, slot + 1)] for slot, each in enumerate(got) if each)
