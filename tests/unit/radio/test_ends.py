# SPDX-License-Identifier: GPL-3.0-or-later
"""Test traffic over the virtual radio from end to end: same seed, same figures; gains, verdicts, several speeds."""

import threading
import time

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.process.node import NodeError
from tokenlink.radio.ends import receive, transmit, verdict
from tokenlink.radio.known_bursts import KnownTraffic, TrafficReceiver
from tokenlink.radio.profiles import Limits, parse_profile
from tokenlink.radio.radio_process import make_emulator, service_command, wait_for_radio
from tokenlink.radio.virtual_air import VirtualAir
from tokenlink.wire.iq_streams import IqReceiver, IqSender

TABLE = load_mode_table()
AIR = {"gain_db": -6.0, "cfo_hz": 2400.0, "delay_samples": 3.4, "noise_dbfs": -32.0, "adc_bits": 12}


def profile(**changes):
    return parse_profile({
        "kind": "virtual", "samp_rate": 1e6, "timing": {"slot_s": 0.012},
        "virtual": {"address": "tcp://127.0.0.1:*", "links": {"forward": {"seed": 3, "impairments": AIR | changes}}},
    })  # fmt: skip


def run(settings, n_bursts=6, pause_s=0.0):
    """A whole run: samples that came, report of the receiver, report of the transmitter."""
    traffic = KnownTraffic(settings.burst, TABLE, seed=4)
    reader = TrafficReceiver(settings.burst, TABLE, settings.samp_rate, traffic)
    stop, pieces = threading.Event(), []

    def keep(position, samples, jumped):
        pieces.append(samples)
        time.sleep(pause_s)

    with make_emulator(settings) as emulator:
        thread = threading.Thread(target=emulator.run, args=(stop.is_set,))
        thread.start()
        try:
            with IqSender(emulator.address) as tx, IqReceiver(emulator.address) as rx:
                wait_for_radio(tx), wait_for_radio(rx)
                sent = []
                sender = threading.Thread(
                    target=lambda: sent.append(transmit(tx, traffic, settings, n_bursts, first_slot=2**24 - 2))
                )
                sender.start()
                got = receive(rx, reader, settings, TABLE, n_bursts, idle_s=30.0, on_samples=keep)
                sender.join()
        finally:
            stop.set()
            thread.join()
    return np.concatenate(pieces), got, sent[0]


def test_all_bursts_come_with_their_tokens_and_the_same_samples_however_slow_the_receiver_is():
    samples, got, sent = run(profile())
    assert got["bursts"] == sent["sent"] == 6 and got["wrong_tokens"] == 0 and got["missed"] == 0
    assert got["bursts_by_mode"] == {"low": 3, "med": 1, "high": 2} and got["valid"] and sent["valid"]
    assert got["bler_by_group"] == [0.0] * 4 and abs(got["cfo_hz"] - 2400) < 20
    assert abs(got["esn0_db"] - (-18.04 + 6.02 + 32)) < 1.0, "bursts of 0.25 RMS, path of -6 dB, 4 samples a symbol"
    again, _, _ = run(profile(), pause_s=0.01)
    both = min(len(samples), len(again))
    assert both > 5 * 12_000
    np.testing.assert_array_equal(samples[:both], again[:both])


def test_what_came_is_what_the_functions_of_the_library_make_of_what_was_sent():
    settings = profile()
    samples, _, _ = run(settings, n_bursts=2)
    traffic, air = KnownTraffic(settings.burst, TABLE, seed=4), VirtualAir(settings.impairments("forward"), 3)
    guard, slot = 500, 12_000
    sent = np.zeros(len(samples), np.complex64)
    for i, number in enumerate((2**24 - 2, 2**24 - 1)):
        burst = traffic.samples(number)
        begin = guard + i * slot if i == 0 else guard + slot
        sent[begin : begin + len(burst)] = burst
    np.testing.assert_array_equal(air.process(sent), samples)
    assert len(BurstReceiver(settings.burst).feed(samples)) == 2


def test_more_gain_clips_at_both_ends_and_the_noise_does_not_care():
    impairments = profile(noise_dbfs=-60.0).impairments("forward")
    tone = np.full(4096, 0.5, np.complex64)
    quiet = VirtualAir(impairments, 1, rx_gain_db=6.0).process(0 * tone)
    assert 10 * np.log10(np.mean(np.abs(quiet) ** 2)) == pytest.approx(-54, abs=0.3)
    loud = VirtualAir(impairments, 1, tx_gain_db=20.0).process(tone)[100:]
    assert np.abs(loud).mean() == pytest.approx(10 ** (-6 / 20), rel=0.01), "the amplifier saturates at full scale"
    clipped = VirtualAir(impairments, 1, tx_gain_db=20.0, rx_gain_db=20.0).process(tone)
    assert np.max(np.abs(clipped.view(np.float32))) == 1.0


def test_verdict_says_what_is_over_the_limit():
    counts = {"device_late": 2, "device_underflow": 1, "lost_samples": 5}
    assert verdict(counts, Limits(late=2, underflow=1, lost_samples=5))["valid"]
    found = verdict(counts, Limits(late=1))
    assert not found["valid"]
    assert found["why"] == "late 2, allowed 1; underflow 1, allowed 0; lost_samples 5, allowed 0"


def test_a_radio_that_is_not_there_is_one_sentence():
    with IqSender("tcp://127.0.0.1:1") as end, pytest.raises(NodeError, match="no radio answers at tcp://127.0.0.1:1"):
        wait_for_radio(end, timeout_s=0.2)


def test_the_command_of_each_kind_of_radio():
    assert service_command("x", profile())[-5:] == ["emulator", "--profile", "x", "--address", "tcp://127.0.0.1:*"]
    uhd = parse_profile({"kind": "uhd", "samp_rate": 1e6})
    command = service_command("b210", uhd, "ipc:///tmp/x", sides="rx")
    assert command[-7:] == ["serve", "--profile", "b210", "--sides", "rx", "--address", "ipc:///tmp/x"]


def test_slots_are_modes_in_turn_unless_one_is_chosen():
    burst = profile().burst
    assert [KnownTraffic(burst, TABLE).mode_of(slot).name for slot in range(4)] == ["low", "med", "high", "low"]
    assert KnownTraffic(burst, TABLE, mode_id=2).mode_of(0).name == "high"
    assert np.array_equal(KnownTraffic(burst, TABLE, 5).tokens(7), KnownTraffic(burst, TABLE, 5).tokens(7))
    assert not np.array_equal(KnownTraffic(burst, TABLE, 5).tokens(7), KnownTraffic(burst, TABLE, 6).tokens(7))
