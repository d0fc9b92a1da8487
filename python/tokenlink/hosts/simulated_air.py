# SPDX-License-Identifier: GPL-3.0-or-later
"""The burst modem without GNU Radio: what a host sends and reads when its radio is the simulator.

The transmitter puts one burst into each message; the receiver draws the channel of the slot, with a random delay and
carrier offset, and gives the samples to the same receiver that an SDR feeds.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from tokenlink.channel import Channel
from tokenlink.link.feedback_bursts import FeedbackReceiver, feedback_burst
from tokenlink.link.slots import extend
from tokenlink.phy.frame import modulate_burst
from tokenlink.phy.header import FIELDS, Header
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.wire import NO_MODE

MAX_CFO = 5e-3
MAX_DELAY_SAMPLES = 400
_TAIL_SAMPLES = 600
_STREAM, _REVERSE_SEED = 7, 1 << 20


def frame_burst(frame, mode, table, config, payload):
    """Samples of a frame in a mode: complex64, guards included.

    Parameters
    ----------
    frame : object       as the payload encodes it
    mode : Mode
    table : ModeTable
    config : BurstConfig
    payload : Payload    of the system

    Raises
    ------
    ValueError   a frame that does not fit the table
    """
    symbols = payload.encode(frame, mode, table)
    wrapped = frame.slot % (1 << FIELDS["slot"])
    header = Header(payload.number, mode.mode_id, frame.seq % (1 << FIELDS["frame"]), wrapped, len(symbols))
    return modulate_burst(header, symbols, config)


class SimulatedAir:
    """Gain, noise, delay and carrier offset of each slot, from one seed.

    Parameters
    ----------
    channel : ChannelConfig
    burst : BurstConfig
    seed : int
    """

    def __init__(self, channel, burst, seed):
        self._channel, self._burst, self._seed = Channel(channel, seed), burst, seed

    def pass_through(self, samples, slot):
        """What arrives of a burst, with noise around it: complex64 [n + some]."""
        state, rng = self._channel.draw(slot), np.random.default_rng((self._seed, _STREAM, slot))
        lead = rng.integers(MAX_DELAY_SAMPLES)
        out = np.zeros(lead + len(samples) + _TAIL_SAMPLES, np.complex64)
        turn = 2j * np.pi * rng.uniform(-MAX_CFO, MAX_CFO)
        out[lead : lead + len(samples)] = samples * state.channel_gain * np.exp(turn * np.arange(len(samples)))
        # The matched filter has unit energy, so its noise has the variance of the samples' noise.
        variance = self._burst.amplitude**2 * self._burst.pulse.sps * state.n0
        noise = rng.standard_normal((len(out), 2), np.float32) * np.float32(np.sqrt(variance / 2))
        return out + noise.view(np.complex64)[:, 0]


class FrameReceiver:
    """Estimates out of samples.

    Parameters
    ----------
    table : ModeTable
    burst : BurstConfig
    payload : Payload            of the system
    air : SimulatedAir or None   None: the samples are as received
    expected_of : slot -> Expected or None   what a frame is decoded with

    Attributes
    ----------
    counts : Counter   "estimates", why a burst was none ("foreign_system", "unknown_mode", "wrong_length",
                       "undecodable", and causes of the payload), and those of the BurstReceiver
    """

    def __init__(self, table, burst, payload, air=None, expected_of=lambda slot: None):
        self._table, self._payload, self._air, self._expected_of = table, payload, air, expected_of
        self._receiver = BurstReceiver(burst)
        self._counts = Counter()

    @property
    def counts(self):
        return self._counts + self._receiver.counters

    def receive(self, samples, slot):
        """Whatever whole bursts are in the samples of about this slot: list of (estimate, LinkReport)."""
        if self._air is not None:
            samples = self._air.pass_through(samples, slot)
        bursts = self._receiver.feed(samples) + self._receiver.flush()
        read = [self._read(burst, slot) for burst in bursts]
        self._counts.update(each if isinstance(each, str) else "estimates" for each in read)
        return [each for each in read if not isinstance(each, str)]

    def _read(self, burst, near_slot):
        header, table = burst.header, self._table
        if header.system != self._payload.number:
            return "foreign_system"
        if header.mode_id >= len(table.modes):
            return "unknown_mode"
        mode = table.mode(header.mode_id)
        if not self._payload.fits(header.payload_symbols, mode, table):
            return "wrong_length"
        link = {
            "slot": extend(header.slot, near_slot),
            "seq": 0,
            "channel_gain": complex(np.mean(burst.channel_gain)),
            "n0": float(burst.n0),
            "esn0_db": burst.esn0_db,
        }
        try:
            expected = self._expected_of(link["slot"])
            found = self._payload.decode(burst.payload, burst.channel_gain, burst.n0, mode, table, link, expected)
        except ValueError:
            return "undecodable"
        estimate, report = found
        return report.drops["lost"] if estimate.mode_id == NO_MODE else found


class ReverseAir:
    """The reverse link: bursts of mode commands, through a channel of their own.

    Parameters
    ----------
    channel : ChannelConfig
    burst : BurstConfig
    seed : int
    n_modes : int   modes of the table
    """

    def __init__(self, channel, burst, seed, n_modes):
        self._burst, self._air = burst, SimulatedAir(channel, burst, seed + _REVERSE_SEED)
        self._receiver = FeedbackReceiver(burst, n_modes)
        self._number = 0

    @property
    def counts(self):
        return self._receiver.counts

    def send(self, slot, mode_id):
        """Samples of the command for a slot: complex64."""
        self._number += 1
        return feedback_burst(slot, mode_id, self._number, self._burst)

    def receive(self, samples, slot):
        """Commands in samples of about this slot: list of Feedback."""
        received = self._air.pass_through(samples, slot)
        return self._receiver.feed(received, slot) + self._receiver.flush(slot)
